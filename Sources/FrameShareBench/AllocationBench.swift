import FrameCommand
import FrameJSON
import FrameMemory
import Glibc

/// What getting and using one frame's memory costs, by where it comes from.
struct AllocationBench {
    struct Row {
        var name: String
        /// Times in ns, medians over the rounds.
        var allocate: Double = 0
        var map: Double = 0
        var firstTouch: Double = 0
        var write: Double = 0
        var read: Double = 0
        /// Beginning and ending a CPU's access: what keeps a device's view and the CPU's caches the same.
        var sync: Double = 0
        var hugePages = false
        /// Why it can't be had.
        var trouble: String?

        /// Bytes a nanosecond, which is GB/s, as the CPU writes and reads a frame of `size` bytes.
        func speeds(size: Int) -> String {
            [write, read].map { $0 > 0 ? Quantities.fixed(Double(size) / $0) : "-" }.joined(separator: " / ")
        }
    }

    let size: Int
    let rounds: Int

    /// Each source that this machine might have, those that it has not with the reason.
    func run(_ stop: StopRequest) -> [Row] {
        let heaps = MachinePaths().heapNames()
        var sources: [(String, MemoryPreference, HugePages)] = [
            ("memfd", .memfd, .never), ("memfd, huge pages", .memfd, .whenAllowed),
        ]
        sources += heaps.map { ("heap \($0)", .dmaHeap($0), .never) }
        if heaps.isEmpty { sources.append(("DMA heap", .dmaHeap(nil), .never)) }
        sources.append(("udmabuf", .udmabuf, .never))
        var rows: [Row] = []
        for (name, preference, hugePages) in sources where !stop.isStopped {
            rows.append(row(name, preference, hugePages))
        }
        return rows
    }

    private func row(_ name: String, _ preference: MemoryPreference, _ hugePages: HugePages) -> Row {
        var row = Row(name: name)
        var samples: [[Double]] = []
        do throws(MemoryError) {
            for _ in 0..<rounds {
                guard let sample = try once(preference, hugePages, &row) else {
                    row.trouble = "what was read is not what was written"
                    return row
                }
                samples.append(sample)
            }
        } catch {
            row.trouble = "\(error)"
            return row
        }
        if hugePages == .whenAllowed && !row.hugePages {
            row.trouble =
                "none given: /sys/kernel/mm/transparent_hugepage/shmem_enabled does not allow them, or none is free"
            return row
        }
        func median(_ i: Int) -> Double { BenchRow.median(samples.map { $0[i] }) }
        (row.allocate, row.map, row.firstTouch) = (median(0), median(1), median(2))
        (row.write, row.read, row.sync) = (median(3), median(4), median(5))
        return row
    }

    private func once(
        _ preference: MemoryPreference,
        _ hugePages: HugePages,
        _ row: inout Row
    ) throws(MemoryError) -> [Double]? {
        let allocator = BufferAllocator(preference: preference, hugePages: hugePages, prefault: false)
        var clock = ProcessUsage.now
        func lap() -> Double {
            let now = ProcessUsage.now
            defer { clock = ProcessUsage.now }
            return Double(now - clock)
        }
        let (buffers, report) = try allocator.allocate(count: 1, size: size, name: "frameshare-bench")
        let allocate = lap()
        row.hugePages = report.hugePages
        // As a reader maps it: the allocator's own mapping is there already.
        let mapping = try buffers[0].map(.read)
        let map = lap()
        guard let target = buffers[0].writableMapping else { return [allocate, map, 0, 0, 0, 0] }
        fill(target, 1)
        let firstTouch = lap()
        fill(target, 2)
        let write = lap()
        // Both sums are looked at: what nobody wants is not read.
        let first = BenchHeader.sum(RawSpan(_unsafeBytes: mapping.bytes))
        let firstRead = lap()
        let second = BenchHeader.sum(RawSpan(_unsafeBytes: mapping.bytes))
        let read = min(firstRead, lap())
        let written = UInt64(mapping.bytes.count / 8) &* 0x0202_0202_0202_0202
        guard first == written, second == written else { return nil }
        clock = ProcessUsage.now
        if buffers[0].kind.isDMABuf {
            try buffers[0].beginCPUAccess(.readWrite)
            try buffers[0].endCPUAccess(.readWrite)
        }
        return [allocate, map, firstTouch, write, read, lap()]
    }

    private func fill(_ mapping: Mapping, _ value: Int32) { memset(mapping.baseAddress, value, mapping.size) }

    /// How fast this machine copies a frame that is in no cache, in bytes a second.
    static func copySpeed(size: Int) -> Double {
        let count = max(2, 64_000_000 / size)
        let bytes = count * size
        guard let memory = mmap(nil, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else { return 0 }
        defer { munmap(memory, 2 * bytes) }
        memset(memory, 1, 2 * bytes)
        let began = ProcessUsage.now
        for i in 0..<count { memcpy(memory + bytes + i * size, memory + i * size, size) }
        return Double(bytes) / Double(max(1, ProcessUsage.now - began)) * 1e9
    }
}

extension AllocationBench.Row {
    func json(size: Int) -> JSONValue {
        func figure(_ value: Double) -> JSONValue? { trouble == nil ? .number(value, digits: 0) : nil }
        return .object([
            "memory": .string(name), "size": .number(size), "error": trouble.map(JSONValue.string),
            "allocate_ns": figure(allocate), "map_ns": figure(map), "first_touch_ns": figure(firstTouch),
            "write_ns": figure(write), "read_ns": figure(read), "sync_ns": figure(sync),
            "huge_pages": trouble == nil ? .bool(hugePages) : nil,
        ])
    }
}
