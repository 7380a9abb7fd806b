// A worker: says how bright each frame is that its group is asked about.
//
//   frameshare workers example --count 2 -- .build-examples/debug/BrightnessWorker

import FrameShare
import FrameWorkers

@main
struct BrightnessWorker: FrameWorker {
    static var configuration: WorkerConfiguration { WorkerConfiguration(group: "brightness", streams: ["main"]) }

    func handle(_ frame: borrowing Frame, _ request: FrameRequest) async throws -> Reply {
        let rows = frame["main"].rows()
        // No row: the CPU can't map this memory.
        guard rows.count > 0 else { throw Unreadable() }
        var sum = 0
        for y in 0..<rows.count {
            let row = rows[y]
            for x in row.indices { sum += Int(row[x]) }
        }
        return ["brightness": .int32(Int32(sum / (rows.count * rows.rowBytes)))]
    }

    struct Unreadable: Error, CustomStringConvertible {
        var description: String { "the CPU can't map this memory" }
    }
}
