// Changes the size of its frames while a subscriber reads them.
//
//   swift run --package-path Examples ChangeSize [CHANNEL]

import FrameShare
import Glibc

@main
enum ChangeSize {
    static func main() async {
        do {
            try await run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("ChangeSize: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) async throws {
        let small = try ImageLayout.computed(width: 320, height: 240, format: .r8)
        let large = try ImageLayout.computed(width: 640, height: 480, format: .r8)
        let publisher = try Publisher(channel: channel, streams: ["main": small], slots: 4)
        let camera = try Subscriber(channel: channel)

        try publisher.publish(try await publisher.nextSlot())
        guard let before = try await camera.next() else { return }
        // From now on the publisher has other buffers. Frames of the old ones stay valid until they are released.
        try publisher.reconfigure(streams: [Stream(name: "main", layout: large)], slots: 4)
        try publisher.publish(try await publisher.nextSlot())
        guard let after = try await camera.next() else { return }
        print("generation \(before.generation) has \(before["main"].width)x\(before["main"].height)")
        print("generation \(after.generation) has \(after["main"].width)x\(after["main"].height)")
        publisher.close()
    }
}
