// Waits until a channel is there, and goes on with the next publisher when this one ends.
//
//   swift run --package-path Examples FollowChannel [CHANNEL]

import FrameShare
import Glibc

@main
enum FollowChannel {
    static func main() async {
        do {
            try await run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("FollowChannel: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) async throws {
        var options = Subscriber.Options()
        // The first connection waits a minute for its publisher.
        options.waitForChannel = .seconds(60)
        options.reconnect = true
        let camera = try Subscriber(channel: channel, options: options)

        for _ in 0..<60 {
            guard let frame = try await camera.next() else { break }
            // Another publisher counts anew. What was lost between its frames and the last one's is unknown.
            if frame.flags.contains(.discontinuity) {
                print("a break before frame \(frame.number); lost: \(frame.lost)")
            }
        }
        print("60 frames over \(camera.statistics.connections) connections")
    }
}
