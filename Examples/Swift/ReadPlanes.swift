// Reads the planes Y, U and V of a YUV420 image, each row by row. See PublishTwoStreams.
//
//   swift run --package-path Examples ReadPlanes [CHANNEL]

import FrameShare
import Glibc

@main
enum ReadPlanes {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("ReadPlanes: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        let camera = try Subscriber(channel: channel, streams: ["main"])
        for _ in 0..<30 {
            guard let frame = try camera.nextBlocking(timeout: .seconds(10)) else { break }
            let image = frame["main"]
            var means: [Int] = []
            for index in image.layout.planes.indices {
                let rows = image.rows(plane: index)
                var sum = 0
                for y in 0..<rows.count {
                    let row = rows[y]
                    for x in row.indices { sum += Int(row[x]) }
                }
                means.append(sum / max(1, rows.count * rows.rowBytes))
            }
            if frame.number % 10 == 0 { print("frame \(frame.number): means of Y, U, V \(means)") }
        }
        print("the planes were read")
    }
}
