// Reads the small image alone of a channel that has a large one, too. See PublishTwoStreams.
//
//   swift run --package-path Examples ReadOneStream [CHANNEL]

import FrameShare
import Glibc

@main
enum ReadOneStream {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("ReadOneStream: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        // The memory of the other streams is not even mapped here.
        let camera = try Subscriber(channel: channel, streams: ["lores"])
        for _ in 0..<30 {
            guard let frame = try camera.nextBlocking(timeout: .seconds(10)) else { break }
            let image = frame["lores"]
            let grey = image.rows()[0][0]
            if frame.number % 10 == 0 { print("frame \(frame.number): \(image.width)x\(image.height), grey \(grey)") }
        }
        print("the small image was read")
    }
}
