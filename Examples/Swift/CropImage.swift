// Reads a part of each image in place: the mean of 100 by 100 pixels at (50, 20).
//
//   swift run --package-path Examples CropImage [CHANNEL]

import FrameShare
import Glibc

@main
enum CropImage {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("CropImage: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        let camera = try Subscriber(channel: channel)
        for _ in 0..<30 {
            guard let frame = try camera.nextBlocking(timeout: .seconds(10)) else { break }
            // A row ends where its pixels end. The padding that a camera may have behind them is left out.
            let rows = frame["main"].rows()
            var sum = 0
            for y in 20..<120 {
                let row = rows[y]
                for x in 50..<150 { sum += Int(row[x]) }
            }
            if frame.number % 10 == 0 { print("frame \(frame.number): mean \(sum / 10_000)") }
        }
        print("the part was read")
    }
}
