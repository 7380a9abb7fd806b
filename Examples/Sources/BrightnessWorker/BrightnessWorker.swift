// A worker: says how bright each frame is that its group is asked about.
//
//   frameshare workers example --count 2 -- .build-examples/debug/BrightnessWorker

import FrameShare
import FrameWorkers

@main
struct BrightnessWorker: FrameWorker {
    static var configuration: WorkerConfiguration { WorkerConfiguration(group: "brightness", streams: ["main"]) }

    func handle(_ frame: borrowing Frame, _ request: FrameRequest) async throws -> Reply {
        let pixels = frame["main"].bytes
        guard pixels.byteCount > 0 else { throw Unreadable() }
        var sum = 0
        for i in 0..<pixels.byteCount { sum += Int(pixels.unsafeLoad(fromByteOffset: i, as: UInt8.self)) }
        return ["brightness": .int32(Int32(sum / pixels.byteCount))]
    }

    struct Unreadable: Error, CustomStringConvertible {
        var description: String { "the CPU can't map this memory" }
    }
}
