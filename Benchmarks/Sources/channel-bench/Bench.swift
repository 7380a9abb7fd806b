import CFloor
import Glibc

/// Carries out runs.
struct Bench {
    /// Frames in the pool, or ring.
    static let slots = 6

    private let options: Options
    private let folder: String

    init(_ options: Options) throws {
        self.options = options
        var template = Array("/tmp/channel-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchError("mkdtemp: errno \(errno)") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func removeFolder() { rmdir(folder) }

    func run(_ cell: Cell, round: Int) throws -> CellResult {
        let frames = Int(Double(options.rate) * options.seconds)
        let skip = cell.mode == .paced ? 5 : 50
        let boards = try (0..<cell.readers).map { _ in
            try SampleBoard(capacity: cell.mode == .paced ? frames + skip : 100_000, skip: skip)
        }
        let transport = try open(cell, boards)
        for reader in transport.readers { try reader.waitUntilReady() }
        usleep(20_000)  // until they sleep
        var result =
            switch cell.mode {
            case .paced: try paced(cell, round, transport, frames: frames, skip: skip)
            case .pingPong: try unpaced(cell, round, transport, inFlight: 0, skip: skip)
            case .lossless: try unpaced(cell, round, transport, inFlight: Int(Floor.framesInFlight) - 1, skip: skip)
            }
        try transport.end()
        for reader in transport.readers { try reader.finish() }
        for board in boards {
            result.latencies += board.latencies
            result.lost += Int(board.samples.pointee.lost)
            result.wrong += Int(board.samples.pointee.wrong)
            let measured = max(1, Int(board.samples.pointee.seen) - skip)
            result.readerCPU += Double(board.samples.pointee.cpu) / Double(measured * boards.count)
        }
        return result
    }

    private func open(_ cell: Cell, _ boards: [SampleBoard]) throws -> any Transport {
        switch cell.contestant {
        case .idle: try Idle(cell)
        case .futex, .futexAgain: try Floor(cell, kind: FLOOR_FUTEX, boards: boards)
        case .eventfd: try Floor(cell, kind: FLOOR_EVENTFD, boards: boards)
        case .frameshare: try Channel(cell, folder: folder, boards: boards)
        }
    }

    /// A camera's pace: each frame is due at its own moment; readers sleep in between.
    private func paced(
        _ cell: Cell,
        _ round: Int,
        _ transport: any Transport,
        frames: Int,
        skip: Int
    ) throws -> CellResult {
        var result = CellResult(cell: cell, round: round)
        result.publishing.reserveCapacity(frames)
        let period = 1_000_000_000 / Int64(options.rate)
        var due = floor_now() + period
        var (began, cpu): (Int64, Int64) = (0, 0)
        for i in 0..<(frames + skip) {
            floor_sleep_until(due)
            due += period
            if i == skip { (began, cpu) = (floor_now(), floor_cpu()) }
            let stamp = floor_now()
            try transport.publish(stamp: stamp)
            if i >= skip { result.publishing.append(floor_now() - stamp) }
            try transport.prepare()
        }
        result.publisherCPU = Double(floor_cpu() - cpu) / Double(frames)
        result.elapsed = floor_now() - began
        result.frames = frames
        floor_sleep_until(due)  // the last frame's readers
        return result
    }

    /// As fast as readers follow with `inFlight` frames unread.
    private func unpaced(
        _ cell: Cell,
        _ round: Int,
        _ transport: any Transport,
        inFlight: Int,
        skip: Int
    ) throws -> CellResult {
        var result = CellResult(cell: cell, round: round)
        var (began, cpu): (Int64, Int64) = (0, 0)
        var i = 0
        let length = Int64(options.seconds * 0.5 * 1e9)
        while true {
            let stamp = floor_now()
            if i == skip { (began, cpu) = (stamp, floor_cpu()) }
            if i > skip && (stamp - began > length || i == 100_000) { break }
            try transport.publish(stamp: stamp)
            try transport.wait(inFlight: inFlight)
            i += 1
        }
        result.frames = i - skip
        result.elapsed = floor_now() - began
        result.publisherCPU = Double(floor_cpu() - cpu) / Double(result.frames)
        if let floor = transport as? Floor { floor.wait(inFlight: 0) }
        return result
    }
}
