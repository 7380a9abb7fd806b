internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// One buffer of each kind.
extension BufferAllocator {
    /// Ordinary memory, which only the mapping made here can write.
    func memfd(size: Int, name: String, _ findings: inout Findings) throws(MemoryError) -> BufferMemory {
        let memfd = try Memfd.createEmpty(name: name, size: size)
        // The writable mapping must exist before the seal that forbids new ones.
        let mapping = try Mapping(descriptor: memfd.number, size: size, access: .readWrite)
        let wantsHugePages = wantsHugePages(size)
        if wantsHugePages {
            // fallocate(2) knows nothing of advice given to a mapping, so huge pages come only by populating first.
            mapping.adviseHugePages()
            mapping.populate()
        }
        try Memfd.reserve(memfd.number, size: size)
        if prefault { mapping.prefault() }
        if wantsHugePages, !findings.hugePages { findings.hugePages = hasHugePages(mapping) }
        var protection = WriteProtection.sealed
        do throws(MemoryError) {
            try Memfd.seal(memfd.number, againstWriting: true)
        } catch {
            // Linux before 5.1 has no F_SEAL_FUTURE_WRITE.
            try Memfd.seal(memfd.number, againstWriting: false)
            protection = .none
            if findings.notes.isEmpty { findings.notes.append("readers can't be kept from writing: \(error)") }
        }
        return BufferMemory(
            owning: memfd,
            kind: .memfd,
            size: size,
            writeProtection: protection,
            mapping: mapping
        )
    }

    /// Buffers one behind the other, each from a page's beginning on, in one memfd; in several where the limit of a file's
    /// size allows no such large one.
    func memfds(
        count: Int,
        size: Int,
        name: String,
        _ findings: inout Findings
    ) throws(MemoryError) -> [FrameBuffer] {
        guard let stride = MemoryPage.roundedUp(size), !count.multipliedReportingOverflow(by: stride).overflow else {
            throw .badSize(size)
        }
        // At least one: a memfd that is too large even so is refused with the limit's name.
        let most = max(1, min(count, Memfd.fileSizeLimit.map { $0 / stride } ?? count))
        var buffers: [FrameBuffer] = []
        // Not reserved beyond reason: a hopeless count is to fail by its first refused memfd.
        buffers.reserveCapacity(min(count, 1024))
        for (number, first) in Swift.stride(from: 0, to: count, by: most).enumerated() {
            let there = min(most, count - first)
            // The last one ends where its bytes do: the kernel rounds up by itself.
            let memory = try memfd(size: stride * (there - 1) + size, name: "\(name):\(number)", &findings)
            for i in 0..<there { buffers.append(try FrameBuffer(in: memory, offset: i * stride, size: size)) }
        }
        return buffers
    }

    private func wantsHugePages(_ size: Int) -> Bool {
        guard hugePages == .whenAllowed, let page = paths.number(paths.hugePageSize), size >= page else { return false }
        return ["always", "within_size", "advise", "force"].contains(paths.allowedHugePages)
    }

    /// Whether the kernel gave huge pages to a mapping.
    private func hasHugePages(_ mapping: Mapping) -> Bool {
        guard let text = paths.text(of: paths.mappings, limit: 8 << 20) else { return false }
        let address = String(UInt(bitPattern: mapping.baseAddress), radix: 16) + "-"
        var isOurs = false
        for line in text.split(separator: "\n") {
            if line.first?.isUppercase == false {
                if isOurs { return false }
                isOurs = line.drop { $0 == "0" }.hasPrefix(address)
            } else if isOurs, line.hasPrefix("ShmemPmdMapped:") {
                return line.split(separator: " ").dropFirst().first != "0"
            }
        }
        return false
    }

    /// A dma-buf of a heap (linux/dma-heap.h).
    func heapBuffer(_ heap: Int32, size: Int, name: String) throws(MemoryError) -> FrameBuffer {
        let number = fs_dma_heap_allocate(heap, UInt64(size), writtenByDevice ? 1 : 0)
        guard number >= 0 else {
            if number == -ENOMEM { throw .outOfMemory(asked: size, source: "the DMA heap") }
            throw .from(Int(number), call: "DMA_HEAP_IOCTL_ALLOC")
        }
        let descriptor = OwnedDescriptor(owning: number)
        self.name(number, name)
        return FrameBuffer(
            owning: descriptor,
            kind: .dmaHeap,
            size: size,
            writeProtection: writtenByDevice ? .readOnlyExport : .none,
            writableMapping: try writableMapping(of: number, size: size)
        )
    }

    /// A dma-buf over ordinary memory (linux/udmabuf.h).
    func udmabuf(
        _ device: Int32,
        size: Int,
        name: String,
        _ findings: inout Findings
    ) throws(MemoryError) -> FrameBuffer {
        // udmabuf wants whole pages, and a memfd that can't shrink.
        guard let rounded = MemoryPage.roundedUp(size) else { throw .badSize(size) }
        let memfd = try Memfd.create(name: name, size: rounded)
        try Memfd.keepSize(memfd.number)
        let number = fs_udmabuf_create(device, memfd.number, 0, UInt64(rounded))
        guard number >= 0 else { throw .from(Int(number), call: "UDMABUF_CREATE") }
        let descriptor = OwnedDescriptor(owning: number)
        self.name(number, name)
        // Only after the udmabuf was made, for the kernel makes none over a memfd with this seal. It closes the way
        // through the memfd; the udmabuf's own it leaves open.
        let sealed = fs_add_seals(memfd.number, FS_SEAL_FUTURE_WRITE | FS_SEAL_SEAL)
        if findings.notes.isEmpty {
            findings.notes.append(
                "readers can't be kept from writing: a udmabuf is writable to all who hold it"
                    + (sealed == 0
                        ? ", though the memfd beneath was sealed after it was made"
                        : ", and so is the memfd beneath (F_SEAL_FUTURE_WRITE: \(Errno(rawValue: -sealed)))")
            )
        }
        return FrameBuffer(
            owning: descriptor,
            kind: .udmabuf,
            size: size,
            writeProtection: .none,
            writableMapping: try writableMapping(of: number, size: size)
        )
    }

    private func writableMapping(of number: Int32, size: Int) throws(MemoryError) -> Mapping? {
        if writtenByDevice { return nil }
        let mapping = try Mapping(descriptor: number, size: size, access: .readWrite)
        if prefault { mapping.prefault() }
        return mapping
    }

    /// Names a dma-buf for debugfs, which keeps 31 bytes; the end tells the buffers of a pool apart.
    private func name(_ number: Int32, _ name: String) {
        _ = fs_dma_buf_set_name(number, String(decoding: name.utf8.suffix(31), as: UTF8.self))
    }
}
