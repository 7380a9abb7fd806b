internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// Makes the buffers of a pool.
public struct BufferAllocator: Sendable {
    /// Where to look first.
    public let preference: MemoryPreference
    /// Whether to make all pages present at once. A first write to a 12 MB frame otherwise takes milliseconds.
    public var prefault = true
    private let paths: MachinePaths

    public init(preference: MemoryPreference = .automatic, paths: MachinePaths = MachinePaths()) {
        self.preference = preference
        self.paths = paths
    }

    private enum Source {
        case memfd
        case heap(String)
        case udmabuf

        func name(_ paths: MachinePaths) -> String {
            switch self {
            case .memfd: "memfd"
            case .heap(let name): "\(paths.dmaHeaps)/\(name)"
            case .udmabuf: paths.udmabuf
            }
        }
    }

    private var sources: [Source] {
        switch preference {
        case .automatic: paths.heapsInProbeOrder().map(Source.heap) + [.udmabuf, .memfd]
        case .memfd: [.memfd]
        case .dmaHeap(nil): paths.heapsInProbeOrder().map(Source.heap)
        case .dmaHeap(let name?): [.heap(name)]
        case .udmabuf: [.udmabuf]
        }
    }

    /// Allocates `count` buffers of `size` bytes, all from the same source. When one can't be had the others are given
    /// back, and the next source is tried.
    /// - Parameter name: shown in `/proc/*/maps` (memfd) and debugfs `dma_buf/bufinfo`
    /// - Throws: `doesNotFit` before anything is allocated; `nothingAvailable` with every attempt.
    public func allocate(
        count: Int, size: Int, name: String
    ) throws(MemoryError) -> (buffers: [FrameBuffer], report: AllocationReport) {
        guard size > 0, count > 0 else { throw .badSize(size) }
        let (total, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { throw .badSize(size) }
        var attempts: [AllocationAttempt] = []
        var last: MemoryError? = nil
        for source in sources {
            do throws(MemoryError) {
                try checkBudget(total, source)
                var notes: [String] = []
                let buffers = try allocate(count: count, size: size, name: name, from: source, notes: &notes)
                let report = AllocationReport(
                    kind: buffers[0].kind, source: source.name(paths), writeProtection: buffers[0].writeProtection,
                    hugePages: false,
                    attempts: attempts, notes: notes)
                return (buffers, report)
            } catch {
                last = error
                attempts.append(attempt(source, error))
            }
        }
        // With one source asked for, its own error says it best.
        if sources.count == 1, let last { throw last }
        throw .nothingAvailable(attempts: attempts)
    }

    private func attempt(_ source: Source, _ error: MemoryError) -> AllocationAttempt {
        let name = source.name(paths)
        switch error {
        case .open(_, .permissionDenied):
            return AllocationAttempt(source: name, error: .permissionDenied, advice: "join the group that owns it")
        case .open(_, let errno): return AllocationAttempt(source: name, error: errno, advice: "")
        case .call(let call, let errno): return AllocationAttempt(source: name, error: errno, advice: call)
        case .outOfDescriptors: return AllocationAttempt(source: name, error: .tooManyOpenFiles, advice: "raise 'ulimit -n'")
        case .doesNotFit, .outOfMemory:
            return AllocationAttempt(source: name, error: .noMemory, advice: "\(error)")
        default: return AllocationAttempt(source: name, error: .invalidArgument, advice: "\(error)")
        }
    }

    /// The arithmetic before the allocation: no kernel call is needed to know that 40 GB won't fit into 24.
    private func checkBudget(_ total: Int, _ source: Source) throws(MemoryError) {
        if let available = paths.memory("MemAvailable"), total > available {
            throw .doesNotFit(asked: total, available: available, where: "MemAvailable")
        }
        if let room = paths.controlGroupRoom, total > room {
            throw .doesNotFit(asked: total, available: room, where: "the control group's memory.max")
        }
        // A contiguous heap takes from CMA only.
        if case .heap(let name) = source, name == "linux,cma" || name == "reserved" || (name == "vidbuf_cached" && !paths.isBCM2712),
            let free = paths.memory("CmaFree"), free > 0, total > free
        {
            throw .doesNotFit(asked: total, available: free, where: "CmaFree")
        }
    }

    private func allocate(
        count: Int, size: Int, name: String, from source: Source, notes: inout [String]
    ) throws(MemoryError) -> [FrameBuffer] {
        var buffers: [FrameBuffer] = []
        buffers.reserveCapacity(count)
        switch source {
        case .memfd:
            for i in 0..<count { buffers.append(try memfd(size: size, name: "\(name):\(i)", &notes)) }
        case .heap(let heap):
            let device = try open(paths.dmaHeaps + "/" + heap)
            for i in 0..<count { buffers.append(try heapBuffer(device.number, size: size, name: "\(name):\(i)")) }
        case .udmabuf:
            let device = try open(paths.udmabuf)
            for i in 0..<count {
                buffers.append(try udmabuf(device.number, size: size, name: "\(name):\(i)", &notes))
            }
        }
        return buffers
    }

    private func open(_ path: String) throws(MemoryError) -> OwnedDescriptor {
        let number = Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard number >= 0 else {
            let error = Errno(rawValue: errno)
            if error == .tooManyOpenFiles { throw .outOfDescriptors(call: "open \(path)") }
            throw .open(path: path, error)
        }
        return OwnedDescriptor(owning: number)
    }

    private func memfd(size: Int, name: String, _ notes: inout [String]) throws(MemoryError) -> FrameBuffer {
        let memfd = try Memfd.create(name: name, size: size)
        // The writable mapping must exist before the seal that forbids new ones.
        let mapping = try Mapping(descriptor: memfd.number, size: size, access: .readWrite)
        mapping.adviseHugePages()
        if prefault { mapping.prefault() }
        var protection = WriteProtection.sealed
        do throws(MemoryError) {
            try Memfd.seal(memfd.number, againstWriting: true)
        } catch {
            // Linux before 5.1 has no F_SEAL_FUTURE_WRITE.
            try Memfd.seal(memfd.number, againstWriting: false)
            protection = .none
            if notes.isEmpty { notes.append("readers can't be kept from writing: \(error)") }
        }
        return FrameBuffer(
            owning: memfd, kind: .memfd, size: size, writeProtection: protection, writableMapping: mapping)
    }

    private func heapBuffer(_ heap: Int32, size: Int, name: String) throws(MemoryError) -> FrameBuffer {
        let number = fs_dma_heap_allocate(heap, UInt64(size))
        guard number >= 0 else {
            if number == -ENOMEM { throw .outOfMemory(asked: size, source: "the DMA heap") }
            throw .from(Int(number), call: "DMA_HEAP_IOCTL_ALLOC")
        }
        let descriptor = OwnedDescriptor(owning: number)
        _ = fs_dma_buf_set_name(number, String(name.suffix(31)))
        let mapping = try Mapping(descriptor: number, size: size, access: .readWrite)
        return FrameBuffer(
            owning: descriptor, kind: .dmaHeap, size: size, writeProtection: .none, writableMapping: mapping)
    }

    private func udmabuf(
        _ device: Int32, size: Int, name: String, _ notes: inout [String]
    ) throws(MemoryError) -> FrameBuffer {
        // udmabuf wants whole pages, and a memfd that can't shrink.
        let page = Int(getpagesize())
        let rounded = (size + page - 1) / page * page
        let memfd = try Memfd.create(name: name, size: rounded)
        let sealed = fs_add_seals(memfd.number, FS_SEAL_SHRINK | FS_SEAL_GROW)
        guard sealed == 0 else { throw .call("fcntl(F_ADD_SEALS)", Errno(rawValue: -sealed)) }
        let number = fs_udmabuf_create(device, memfd.number, 0, UInt64(rounded))
        guard number >= 0 else { throw .from(Int(number), call: "UDMABUF_CREATE") }
        let descriptor = OwnedDescriptor(owning: number)
        // The dma-buf can be mapped for writing by whoever is given it: no seal of the memfd changes that, and the
        // memfd itself is never passed on.
        if notes.isEmpty { notes.append("readers can't be kept from writing: a udmabuf is writable to all who hold it") }
        let mapping = try Mapping(descriptor: number, size: size, access: .readWrite)
        if prefault { mapping.prefault() }
        return FrameBuffer(
            owning: descriptor, kind: .udmabuf, size: size, writeProtection: .none, writableMapping: mapping)
    }
}
