// Takes every frame of a channel in order, as a recorder does, and counts the gaps.
//
//   swift run --package-path Examples ReadEveryFrame [CHANNEL]

import FrameShare
import Glibc

@main
enum ReadEveryFrame {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("ReadEveryFrame: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        var options = Subscriber.Options()
        options.name = "recorder"
        // Four slots of the pool are kept for this subscriber alone: three frames can wait while it works on one.
        options.budget = 4
        options.reserve = true
        let camera = try Subscriber(channel: channel, policy: .everyFrame, options: options)

        var frames = 0
        var last: UInt64?
        var missing: UInt64 = 0
        while frames < 60, let frame = try camera.nextBlocking(timeout: .seconds(10)) {
            // The publisher numbers its frames. A frame that this subscriber did not get leaves a gap.
            if let last { missing += frame.number - last - 1 }
            last = frame.number
            frames += 1
        }
        print("\(frames) frames in order, \(missing) missing")
    }
}
