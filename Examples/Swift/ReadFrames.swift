// Finds the bright bar in each frame, and says once a second how it is going. Ends with the channel.
//
//   swift run --package-path Examples ReadFrames [CHANNEL]

import FrameShare
import Glibc

@main
enum ReadFrames {
    static func main() {
        do {
            try read()
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("ReadFrames: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func read() throws {
        let arguments = CommandLine.arguments
        let camera = try Subscriber(channel: arguments.count > 1 ? arguments[1] : "example", policy: .latest)

        var (seen, wrong) = (0, 0)
        // The blocking call is the fastest: no other thread takes part.
        while let frame = try camera.nextBlocking(timeout: .seconds(5)) {
            seen += 1
            // The very bytes that the publisher wrote: nothing was copied on the way.
            let bar = findBar(frame["main"].rows()[0])
            if case .int64(let expected)? = frame.metadata["BarPosition"], Int(expected) != bar { wrong += 1 }
            if seen % 30 == 1 {
                print("frame \(frame.sequence): bar at \(bar), \(frame.lost.total) lost before it")
            }
        }  // the lease ends with each turn of the loop
        let statistics = camera.statistics
        print("\(seen) frames, \(statistics.lost.total) lost, \(wrong) with the bar elsewhere than said")
    }

    /// Where the first bright pixel of a row is.
    static func findBar(_ row: Span<UInt8>) -> Int { row.indices.first { row[$0] == 255 } ?? -1 }
}
