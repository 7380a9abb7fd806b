internal import Glibc
internal import SystemPackage

/// Makes the buffers of a pool.
public struct BufferAllocator: Sendable {
    /// Where to look first.
    public var preference: MemoryPreference
    /// Whether ordinary memory may have huge pages.
    public var hugePages: HugePages
    /// Whether to make all pages present at once. A first write to a 12 MB frame otherwise takes milliseconds.
    public var prefault: Bool
    /// The buffers are for a device alone to fill, such as a camera that imports them. DMA buffers then get no writable
    /// mapping, and those of a heap are read-only to every CPU, here and in all who are given them
    /// (``WriteProtection/readOnlyExport``); the device still writes.
    public var writtenByDevice: Bool
    let paths: MachinePaths

    public init(
        preference: MemoryPreference = .automatic,
        hugePages: HugePages = .whenAllowed,
        prefault: Bool = true,
        writtenByDevice: Bool = false,
        paths: MachinePaths = MachinePaths()
    ) {
        self.preference = preference
        self.hugePages = hugePages
        self.prefault = prefault
        self.writtenByDevice = writtenByDevice
        self.paths = paths
    }

    /// A place where memory comes from.
    enum Source {
        case memfd
        case heap(String)
        case udmabuf
    }

    /// What was learnt while buffers were made.
    struct Findings {
        var hugePages = false
        var notes: [String] = []
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

    private func name(of source: Source) -> String {
        switch source {
        case .memfd: "memfd"
        case .heap(let name): "\(paths.dmaHeaps)/\(name)"
        case .udmabuf: paths.udmabuf
        }
    }

    /// Allocates `count` buffers of `size` bytes, all from the same source. When one can't be had the others are given
    /// back, and the next source is tried.
    /// - Parameters:
    ///   - name: shown in `/proc/*/maps` (memfd) and debugfs `dma_buf/bufinfo`
    ///   - together: buffers of ordinary memory share one descriptor, in which each has its ``FrameBuffer/offset``. Those that
    ///     a device imports have a descriptor each in any case
    /// - Throws: `doesNotFit` before anything is allocated; `nothingAvailable` with every attempt; where only one
    ///   source was asked for, what kept it.
    public func allocate(
        count: Int,
        size: Int,
        name: String,
        together: Bool = false
    ) throws(MemoryError) -> (buffers: [FrameBuffer], report: AllocationReport) {
        guard size > 0, count > 0 else { throw .badSize(size) }
        // Memory comes in whole pages.
        guard let each = MemoryPage.roundedUp(size) else { throw .badSize(size) }
        let (total, overflow) = count.multipliedReportingOverflow(by: each)
        guard !overflow else { throw .badSize(size) }
        let budget = MemoryBudget(paths: paths)
        try budget.check(total: total)
        var attempts: [AllocationAttempt] = []
        let sources = sources
        for source in sources {
            do throws(MemoryError) {
                var findings = Findings()
                let buffers = try allocate(
                    count: count,
                    size: size,
                    name: name,
                    together: together,
                    from: source,
                    budget: budget,
                    &findings
                )
                let report = AllocationReport(
                    kind: buffers[0].kind,
                    source: self.name(of: source),
                    writeProtection: buffers[0].writeProtection,
                    hugePages: findings.hugePages,
                    attempts: attempts,
                    notes: findings.notes
                )
                return (buffers, report)
            } catch {
                // With one source asked for, its own error says it best.
                if sources.count == 1 { throw error }
                attempts.append(attempt(self.name(of: source), error))
            }
        }
        throw .nothingAvailable(attempts: attempts)
    }

    private func allocate(
        count: Int,
        size: Int,
        name: String,
        together: Bool,
        from source: Source,
        budget: MemoryBudget,
        _ findings: inout Findings
    ) throws(MemoryError) -> [FrameBuffer] {
        var buffers: [FrameBuffer] = []
        // Not reserved beyond reason: a hopeless count is to fail by its first refused buffer.
        buffers.reserveCapacity(min(count, 1024))
        switch source {
        case .memfd where together:
            return try memfds(count: count, size: size, name: name, &findings)
        case .memfd:
            for i in 0..<count {
                let memory = try memfd(size: size, name: "\(name):\(i)", &findings)
                buffers.append(try FrameBuffer(in: memory, offset: 0, size: size))
            }
        case .heap(let heap):
            try budget.check(heap: heap, total: count * size)
            let device = try open(paths.dmaHeaps + "/" + heap)
            for i in 0..<count { buffers.append(try heapBuffer(device.number, size: size, name: "\(name):\(i)")) }
        case .udmabuf:
            let device = try open(paths.udmabuf)
            try budget.check(udmabuf: size)
            for i in 0..<count {
                buffers.append(try udmabuf(device.number, size: size, name: "\(name):\(i)", &findings))
            }
        }
        return buffers
    }

    private func open(_ path: String) throws(MemoryError) -> OwnedDescriptor {
        let number = Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard number >= 0 else {
            let error = Errno(rawValue: errno)
            if error == .tooManyOpenFiles || error == .tooManyOpenFilesInSystem {
                throw .outOfDescriptors(call: "open \(path)")
            }
            throw .open(path: path, error)
        }
        return OwnedDescriptor(owning: number)
    }

    private func attempt(_ source: String, _ error: MemoryError) -> AllocationAttempt {
        switch error {
        case .open(let path, let errno) where errno == .permissionDenied || errno == .notPermitted:
            let advice =
                paths.groupName(of: path).map {
                    "it is for group '\($0)': 'sudo usermod -aG \($0) $USER', log in again"
                }
                ?? "it is its owner's alone; a udev rule can give it to a group"
            return AllocationAttempt(source: source, error: errno, advice: advice)
        case .open(_, let errno): return AllocationAttempt(source: source, error: errno, advice: "")
        case .call(let call, let errno): return AllocationAttempt(source: source, error: errno, advice: call)
        case .outOfDescriptors:
            return AllocationAttempt(source: source, error: .tooManyOpenFiles, advice: "raise 'ulimit -n'")
        case .doesNotFit, .outOfMemory:
            return AllocationAttempt(source: source, error: .noMemory, advice: "\(error)")
        default: return AllocationAttempt(source: source, error: .invalidArgument, advice: "\(error)")
        }
    }
}
