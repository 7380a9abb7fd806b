// Publishes grey frames, and asks a group of workers how bright each is.
//
//   swift run --package-path Examples AskWorkers [CHANNEL [FRAMES]]

import FrameShare
import Glibc

@main
enum AskWorkers {
    static func main() async {
        do {
            try await ask()
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("AskWorkers: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func ask() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let channel = arguments.first ?? "example"
        let frames = arguments.dropFirst().first.flatMap { Int($0) } ?? 100
        let layout = try ImageLayout.computed(width: 320, height: 240, format: .r8)
        let publisher = try Publisher(channel: channel, streams: ["main": layout], slots: 8)
        print("asking on '\(channel)': start workers")

        var right = 0
        for number in 0..<frames {
            try await publisher.waitForRoom(in: "brightness", timeout: .seconds(30))
            let slot = try await publisher.nextSlot()
            let grey = UInt8(number % 256)
            slot["main"].withMutableRows { rows in
                for y in 0..<rows.count {
                    var row = rows[y]
                    for x in row.indices { row[x] = grey }
                }
            }
            do throws(WorkError) {
                let answer = try await publisher.ask("brightness", slot)
                if answer["brightness"]?.integer == Int64(grey) { right += 1 }
            } catch {
                print("frame \(number): \(error)")
            }
        }
        print("\(right) of \(frames) answers are right")
    }
}
