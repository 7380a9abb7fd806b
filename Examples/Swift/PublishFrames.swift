// Publishes a grey picture with a bright bar that moves, 30 times a second.
//
//   swift run --package-path Examples PublishFrames [CHANNEL [FRAMES]]

import FrameShare
import Glibc

@main
enum PublishFrames {
    static func main() async {
        do {
            try await publish()
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("PublishFrames: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func publish() async throws {
        let arguments = CommandLine.arguments
        let channel = arguments.count > 1 ? arguments[1] : "example"
        let frames = arguments.count > 2 ? Int(arguments[2]) ?? 300 : 300

        let layout = try ImageLayout.computed(width: 640, height: 480, format: .r8)
        let publisher = try Publisher(channel: channel, streams: ["main": layout], slots: 6)
        print("publishing \(frames) frames as '\(channel)' in \(publisher.statistics.streams[0].memory) memory")

        let clock = ContinuousClock()
        var due = clock.now
        for number in 0..<frames {
            // Waits only for a free slot, never for a reader.
            let slot = try await publisher.nextSlot()
            let bar = number * 4 % 640
            slot["main"].withMutableRows { rows in draw(bar, into: &rows) }
            try publisher.publish(slot, metadata: ["ExposureTime": 8_000, "BarPosition": .int64(Int64(bar))])
            due += .milliseconds(33)
            try await clock.sleep(until: due)
        }
        publisher.close()
    }

    static func draw(_ bar: Int, into rows: inout MutablePlaneRows) {
        for y in 0..<rows.count {
            var row = rows[y]
            for x in row.indices { row[x] = x >= bar && x < bar + 16 ? 255 : 64 }
        }
    }
}
