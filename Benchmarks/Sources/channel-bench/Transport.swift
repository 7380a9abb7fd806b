import CFloor
import FrameShare
import Glibc

/// The publisher's side of a contestant, with its readers running.
protocol Transport {
    /// Gets ready for the next frame, between frames.
    func prepare() throws
    /// Publishes a frame stamped with `stamp` (CLOCK_MONOTONIC, ns).
    func publish(stamp: Int64) throws
    /// Waits until no reader has more than `inFlight` frames to read still.
    func wait(inFlight: Int) throws
    /// Ends the readers, in order.
    func end() throws
    var readers: [ReaderProcess.Child] { get }
}

extension Transport {
    func prepare() {}
}

/// Nobody is told: what stamping and pacing cost by themselves.
struct Idle: Transport {
    private let floor: Floor
    init(_ cell: Cell) throws { floor = try Floor(cell, kind: FLOOR_FUTEX, boards: []) }
    func publish(stamp: Int64) { floor.touch(stamp: stamp) }
    func wait(inFlight: Int) {}
    func end() {}
    var readers: [ReaderProcess.Child] { [] }
}

/// The plain C ring of `CFloor`.
final class Floor: Transport {
    static let framesInFlight: UInt32 = 4

    private(set) var side = floor_side()
    let pageMemory: Int32
    let ringMemory: Int32
    private(set) var events: [Int32] = []
    private(set) var readers: [ReaderProcess.Child] = []
    private var touched = 0

    init(_ cell: Cell, kind: floor_kind, boards: [SampleBoard]) throws {
        side.kind = kind.rawValue
        side.slots = UInt32(Bench.slots)
        side.size = UInt64(cell.size)
        side.readers = UInt32(boards.count)
        pageMemory = floor_memory(floor_page_bytes())
        let ringBytes = Int(side.slots) * cell.size
        ringMemory = floor_memory(UInt64(ringBytes))
        guard pageMemory >= 0, ringMemory >= 0 else { throw BenchError("memfd_create: errno \(errno)") }
        side.page = try Self.map(pageMemory, Int(floor_page_bytes()))
        side.ring = try Self.map(ringMemory, ringBytes).assumingMemoryBound(to: UInt8.self)
        side.publisher_event = floor_event()
        for i in boards.indices {
            let event = floor_event()
            guard event >= 0 else { throw BenchError("eventfd: errno \(errno)") }
            events.append(event)
            withUnsafeMutableBytes(of: &side.event) { $0.storeBytes(of: event, toByteOffset: 4 * i, as: Int32.self) }
        }
        for (i, board) in boards.enumerated() {
            readers.append(try ReaderProcess.start(floor: self, reader: i, samples: board))
        }
    }

    private static func map(_ descriptor: Int32, _ size: Int) throws -> UnsafeMutableRawPointer {
        let flags = MAP_SHARED | floor_populate()
        let address = mmap(nil, size, PROT_READ | PROT_WRITE, flags, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw BenchError("mmap of \(size) bytes: errno \(errno)") }
        return address
    }

    deinit {
        munmap(side.page, Int(floor_page_bytes()))
        munmap(side.ring, Int(side.slots) * Int(side.size))
        for descriptor in events + [side.publisher_event, pageMemory, ringMemory] { close(descriptor) }
    }

    func publish(stamp: Int64) { floor_publish(&side, stamp) }
    func wait(inFlight: Int) { floor_wait(&side, UInt32(inFlight)) }
    func end() { floor_stop(&side) }

    /// Writes what publishing would, and tells nobody.
    func touch(stamp: Int64) {
        let frame = UnsafeMutableRawPointer(side.ring + touched % Int(side.slots) * Int(side.size))
        frame.storeBytes(of: Int64(touched), as: Int64.self)
        frame.storeBytes(of: stamp, toByteOffset: 8, as: Int64.self)
        touched += 1
    }
}

/// FrameShare's `Publisher`.
final class Channel: Transport {
    private let publisher: Publisher
    private(set) var readers: [ReaderProcess.Child] = []
    private var number: Int64 = 0
    private var next: WritableSlot?

    init(_ cell: Cell, folder: String, boards: [SampleBoard]) throws {
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder)
        options.stallLimit = .seconds(10)
        // Who wants every frame reserves its budget; else the pool is as large as the floor's ring.
        let slots = cell.mode.budget.map { 1 + $0 * cell.readers } ?? Bench.slots
        let layout = try ImageLayout.computed(width: 1000, height: cell.size / 1000, format: .r8)
        publisher = try Publisher(channel: "bench", streams: ["main": layout], slots: slots, options: options)
        for board in boards {
            readers.append(try ReaderProcess.start(cell, channel: "bench", folder: folder, samples: board))
        }
    }

    /// A frame is in its slot before it is published: the slot was got while the source was at work, not now.
    func prepare() throws {
        if next == nil { next = try publisher.nextSlotBlocking(timeout: .seconds(10)) }
    }

    func publish(stamp: Int64) throws {
        try prepare()
        guard let slot = next.take() else { return }
        number += 1
        write(number, into: slot)
        try publisher.publish(slot, FrameDescription(timestamp: FrameTimestamp(nanoseconds: stamp)))
    }

    private func write(_ number: Int64, into slot: borrowing WritableSlot) {
        slot["main"].withUnsafeMutableBytes { $0.storeBytes(of: number, as: Int64.self) }
    }

    /// Every reader's budget is `inFlight` + 1 frames: it has room for one more when it has `inFlight` to read.
    func wait(inFlight: Int) throws { try publisher.waitForRoom(timeout: .seconds(10)) }

    func end() { publisher.close() }
}
