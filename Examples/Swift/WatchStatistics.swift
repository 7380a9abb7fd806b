// Says for three seconds how a channel is doing: its frames, its subscribers, and what each has lost.
//
//   swift run --package-path Examples WatchStatistics [CHANNEL]

import FrameShare
import Glibc

@main
enum WatchStatistics {
    static func main() async {
        do {
            try await run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("WatchStatistics: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) async throws {
        // A monitor takes no frame. It asks the publisher, which keeps all counts.
        let monitor = try ChannelMonitor(channel: channel)
        for _ in 0..<3 {
            let now = try monitor.snapshot()
            print("\(now.published) published, \(now.slotsFree) of \(now.slots) slots free")
            for reader in now.subscribers {
                print("  \(reader.name): \(reader.delivered) delivered, \(reader.dropped) dropped, \(reader.held) held")
            }
            try await Task.sleep(for: .seconds(1))
        }
    }
}
