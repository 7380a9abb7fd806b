// Tells which channels of this machine appear and vanish, and which a killed publisher has left behind.
//
//   swift run --package-path Examples WatchChannels

import FrameShare
import Glibc

@main
enum WatchChannels {
    static func main() async {
        do {
            try await run()
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("WatchChannels: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run() async throws {
        // The folder need not be there yet. The kernel wakes the watch: waiting costs nothing.
        let watch = try ChannelDirectory.standard().watch()
        while true {
            switch try await watch.next() {
            case .appeared(let channel): print("\(channel.name) has appeared: \(channel.state)")
            case .changed(let channel): print("\(channel.name) has changed: \(channel.state)")
            case .vanished(let channel): print("\(channel.name) has vanished")
            }
        }
    }
}
