// Takes the first frame that the camera captured after a moment, such as when a robot has stopped.
//
//   swift run --package-path Examples ReadAfterMoment [CHANNEL]

import FrameShare
import Glibc

@main
enum ReadAfterMoment {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("ReadAfterMoment: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        let camera = try Subscriber(channel: channel)
        for _ in 0..<5 {
            // On the clock of the source: monotonic, unless the frames' timestamps say otherwise.
            let stopped = FrameTimestamp.now(.monotonic)
            // A frame that was captured before the moment is passed over, also when it comes later.
            guard let frame = try camera.nextBlocking(after: stopped, timeout: .seconds(10)) else { break }
            let late = (frame.timestamp.nanoseconds - stopped.nanoseconds) / 1000
            print("frame \(frame.number) was captured \(late) us after the moment")
        }
    }
}
