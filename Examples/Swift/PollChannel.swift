// Waits for frames and for standard input with one poll, as an event loop does. Ends with the input.
//
//   swift run --package-path Examples PollChannel [CHANNEL]

import FrameShare
import Glibc

@main
enum PollChannel {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("PollChannel: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        var options = Subscriber.Options()
        options.pollable = true
        let camera = try Subscriber(channel: channel, options: options)
        var waits = [
            pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            // Readable while there is a frame to take. It stays the same when the subscriber connects again.
            pollfd(fd: try camera.pollDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        var frames = 0
        while true {
            guard poll(&waits, 2, -1) >= 0 || errno == EINTR else { break }
            if waits[0].revents != 0 { break }
            while let frame = try camera.tryNext() {
                if frames == 0 { print("the first frame has number \(frame.number)") }
                frames += 1
            }
        }
        print("\(frames) frames until the input ended")
    }
}
