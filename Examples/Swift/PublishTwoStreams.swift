// Publishes two images in every frame: a large one in YUV420 for a recorder, a small grey one for a detector.
//
//   swift run --package-path Examples PublishTwoStreams [CHANNEL]

import FrameShare
import Glibc

@main
enum PublishTwoStreams {
    static func main() async {
        do {
            try await run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("PublishTwoStreams: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) async throws {
        let main = try ImageLayout.computed(width: 640, height: 480, format: .yuv420)
        let lores = try ImageLayout.computed(width: 160, height: 120, format: .r8)
        let publisher = try Publisher(channel: channel, streams: ["main": main, "lores": lores], slots: 6)
        for number in 0..<300 {
            let slot = try await publisher.nextSlot()
            fill(slot["main"], plane: 0, with: UInt8(number % 256))
            fill(slot["main"], plane: 1, with: 110)
            fill(slot["main"], plane: 2, with: 120)
            fill(slot["lores"], plane: 0, with: UInt8(number % 256))
            // One publication: both images have the same number, time and metadata.
            try publisher.publish(slot)
            try await Task.sleep(for: .milliseconds(33))
        }
        publisher.close()
    }

    static func fill(_ image: WritableImage, plane: Int, with value: UInt8) {
        image.withMutableRows(plane: plane) { rows in
            for y in 0..<rows.count {
                var row = rows[y]
                for x in row.indices { row[x] = value }
            }
        }
    }
}
