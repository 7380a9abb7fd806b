// Reads two channels, and pairs the frames that were captured at about the same time.
//
//   swift run --package-path Examples TwoCameras [LEFT [RIGHT]]

import FrameShare
import Glibc

@main
enum TwoCameras {
    static func main() async {
        do {
            try await run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("TwoCameras: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) async throws {
        let left = try Subscriber(channel: channel, policy: .queue(4))
        let other = CommandLine.arguments.count > 2 ? CommandLine.arguments[2] : "example2"
        let right = try Subscriber(channel: other, policy: .queue(4))
        // Half of the time between two frames of 30 a second.
        let tolerance: Int64 = 17_000_000

        var pairs = 0
        guard var a = try await left.next(), var b = try await right.next() else { return }
        while pairs < 20 {
            let apart = a.timestamp.nanoseconds - b.timestamp.nanoseconds
            if abs(apart) <= tolerance {
                pairs += 1
                if pairs % 10 == 0 { print("frames \(a.number) and \(b.number) are \(apart / 1000) us apart") }
                guard let nextA = try await left.next(), let nextB = try await right.next() else { break }
                a = nextA
                b = nextB
            } else if apart < 0 {
                // The left frame is older than any frame that may come from the right: pass over it.
                guard let next = try await left.next() else { break }
                a = next
            } else {
                guard let next = try await right.next() else { break }
                b = next
            }
        }
        print("\(pairs) pairs")
    }
}
