import CFloor
import Glibc

/// Memory in which a reader leaves what it measured, shared with the publisher.
final class SampleBoard {
    let descriptor: Int32
    let samples: UnsafeMutablePointer<floor_samples>
    private let size: Int
    private let ownsDescriptor: Bool

    /// Room for `capacity` samples; the first `skip` frames are not measured.
    init(capacity: Int, skip: Int) throws {
        size = MemoryLayout<floor_samples>.size + capacity * 8
        descriptor = floor_memory(UInt64(size))
        ownsDescriptor = true
        guard descriptor >= 0 else { throw BenchError("memfd_create: errno \(errno)") }
        samples = try Self.map(descriptor, size)
        samples.pointee.capacity = UInt32(capacity)
        samples.pointee.skip = UInt32(skip)
    }

    /// The board that a reader has inherited.
    init(adopting descriptor: Int32) throws {
        self.descriptor = descriptor
        ownsDescriptor = false
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw BenchError("a reader needs its board; don't start one by hand")
        }
        size = Int(status.st_size)
        samples = try Self.map(descriptor, size)
    }

    private static func map(_ descriptor: Int32, _ size: Int) throws -> UnsafeMutablePointer<floor_samples> {
        let flags = MAP_SHARED | floor_populate()
        let address = mmap(nil, size, PROT_READ | PROT_WRITE, flags, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw BenchError("mmap of \(size) bytes: errno \(errno)") }
        return address.assumingMemoryBound(to: floor_samples.self)
    }

    deinit {
        munmap(samples, size)
        if ownsDescriptor { close(descriptor) }
    }

    var isReady: Bool { floor_is_ready(samples) != 0 }

    /// The latencies in ns.
    var latencies: [Int64] {
        let start = UnsafeMutableRawPointer(samples + 1).assumingMemoryBound(to: Int64.self)
        return Array(UnsafeBufferPointer(start: start, count: Int(samples.pointee.count)))
    }
}
