// Shows each frame together with what a worker says of it: a channel of the same pixels, with the answers.
//
//   swift run --package-path Examples OverlayBoxes [CHANNEL]

import FrameShare
import Glibc

@main
enum OverlayBoxes {
    static func main() async {
        do {
            try await run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("OverlayBoxes: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) async throws {
        let layout = try ImageLayout.computed(width: 320, height: 240, format: .r8)
        let publisher = try Publisher(channel: channel, streams: ["main": layout], slots: 16)
        // The overlay asks the group about each frame, and publishes the frame when its answer has come.
        let overlay = try Overlay(of: publisher, channel: channel + "-boxes", group: "brightness")
        let viewer = try Subscriber(channel: overlay.channel, policy: .queue(4))
        print("waiting for workers of the group 'brightness'")

        var right = 0
        for number in 0..<50 {
            try await publisher.waitForRoom(in: "brightness", timeout: .seconds(60))
            let slot = try await publisher.nextSlot()
            slot["main"].withMutableRows { rows in
                for y in 0..<rows.count {
                    var row = rows[y]
                    for x in row.indices { row[x] = UInt8(number) }
                }
            }
            try publisher.publish(slot)
            guard let frame = try await viewer.next(timeout: .seconds(30)) else { break }
            // The pixels are the publisher's own. The answer stands beside the frame's metadata.
            if frame.metadata["brightness"]?.integer == Int64(frame["main"].rows()[0][0]) { right += 1 }
        }
        print("\(right) of 50 frames have the right answer")
        overlay.close()
        publisher.close()
    }
}
