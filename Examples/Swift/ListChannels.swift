// Lists the channels of this machine, with the images that each has.
//
//   swift run --package-path Examples ListChannels

import FrameShare
import Glibc

@main
enum ListChannels {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("ListChannels: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        for name in try ChannelDirectory.standard().channels() {
            do throws(ChannelError) {
                let statistics = try ChannelMonitor(channel: name).snapshot()
                let images = statistics.streams.map { status in
                    let layout = status.stream.layout
                    return "\(status.stream.name) \(layout.width)x\(layout.height) \(layout.format.name)"
                }
                print("\(name): \(images.joined(separator: ", "))")
            } catch {
                // Such as a channel of another user's, or a socket that a killed publisher has left.
                print("\(name): \(error)")
            }
        }
    }
}
