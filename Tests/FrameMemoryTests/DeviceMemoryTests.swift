import FrameMemory
import Glibc
import SystemPackage
import Testing

/// Memory that only some machines have; Tests/Guest has it all.
@Suite struct DeviceMemoryTests {
    private static let noHeap = "no DMA heap that this user may open here; Tests/Guest/run-in-guest has one"
    private static let noUdmabuf = "no /dev/udmabuf that this user may open here; Tests/Guest/run-in-guest has it"

    private static var hasHeap: Bool {
        let paths = MachinePaths()
        return paths.heapsInProbeOrder().contains { access(paths.dmaHeaps + "/" + $0, R_OK | W_OK) == 0 }
    }
    private static var hasUdmabuf: Bool { access(MachinePaths().udmabuf, R_OK | W_OK) == 0 }

    /// Writes through one mapping and reads through another, as two processes would.
    private func exchange(_ preference: MemoryPreference) throws -> AllocationReport {
        let size = 100_000
        let (buffers, report) = try BufferAllocator(preference: preference).allocate(
            count: 2,
            size: size,
            name: "a name that is longer than debugfs keeps"
        )
        #expect(buffers.count == 2 && report.kind.isDMABuf && report.writeProtection == .none)
        for (i, buffer) in buffers.enumerated() {
            let writable = try #require(buffer.writableMapping)
            try buffer.beginCPUAccess(.write)
            writable.baseAddress.initializeMemory(as: UInt8.self, repeating: UInt8(42 + i), count: size)
            try buffer.endCPUAccess(.write)
            let given = try FrameBuffer(
                adopting: OwnedDescriptor(owning: fcntl(buffer.descriptor, F_DUPFD_CLOEXEC, 0)),
                kind: report.kind,
                size: size,
                writeProtection: .sealed
            )
            // Its maker's word alone.
            #expect(given.writeProtection == .none)
            let reader = try given.map(.read)
            reader.prefault()
            try given.beginCPUAccess(.read)
            #expect(reader.isFilled(with: UInt8(42 + i)))
            try given.endCPUAccess(.read)
        }
        let first = buffers[0].descriptor
        #expect(throws: MemoryError.notMemfd) { try FrameBuffer.verify(descriptor: first, kind: .memfd, size: size) }
        let whole = try #require(MemoryPage.roundedUp(size))
        #expect(throws: MemoryError.tooSmall(found: whole, needed: whole + 1)) {
            try FrameBuffer.verify(descriptor: first, kind: .dmaBuf, size: whole + 1)
        }
        return report
    }

    @Test("a DMA heap gives buffers that two mappings share", .enabled(if: hasHeap, "\(noHeap)"))
    func heap() throws {
        #expect(try exchange(.dmaHeap(nil)).kind == .dmaHeap)
    }

    @Test("udmabuf gives buffers that two mappings share", .enabled(if: hasUdmabuf, "\(noUdmabuf)"))
    func udmabuf() throws {
        let report = try exchange(.udmabuf)
        #expect(report.kind == .udmabuf && report.notes.contains { $0.contains("writable to all") })
    }

    @Test("a heap's buffers for a device alone can be read, and written by no CPU", .enabled(if: hasHeap, "\(noHeap)"))
    func readOnlyHeap() throws {
        let (buffers, report) = try BufferAllocator(preference: .dmaHeap(nil), writtenByDevice: true).allocate(
            count: 2,
            size: 65536,
            name: "test"
        )
        #expect(report.writeProtection == .readOnlyExport)
        for buffer in buffers {
            #expect(buffer.writeProtection == .readOnlyExport && buffer.writableMapping == nil)
            #expect(throws: MemoryError.call("mmap", .permissionDenied)) { try buffer.map(.readWrite) }
            #expect(open("/proc/self/fd/\(buffer.descriptor)", O_RDWR | O_CLOEXEC) == -1)
            let given = try FrameBuffer(
                adopting: OwnedDescriptor(owning: fcntl(buffer.descriptor, F_DUPFD_CLOEXEC, 0)),
                kind: .dmaBuf,
                size: 65536,
                writeProtection: .readOnlyExport
            )
            #expect(given.writeProtection == .readOnlyExport)
            try given.beginCPUAccess(.read)
            #expect(try given.map(.read).isFilled(with: 0))
            try given.endCPUAccess(.read)
        }
    }

    @Test("what this kernel does with seals beneath a udmabuf is found out", .enabled(if: hasUdmabuf, "\(noUdmabuf)"))
    func sealsBeneath() {
        let survey = MachineMemory()
        #expect(survey.udmabuf.error == nil)
        #expect(survey.udmabufOverSealed != .untried && survey.sealAfterUdmabuf != .untried)
        print("udmabuf over a sealed memfd: \(survey.udmabufOverSealed); sealed after: \(survey.sealAfterUdmabuf)")
    }

    @Test("automatic takes device memory where there is some", .enabled(if: hasHeap, "\(noHeap)"))
    func automatic() throws {
        #expect(try BufferAllocator().allocate(count: 1, size: 4096, name: "test").report.kind == .dmaHeap)
    }

    @Test("huge pages are used, and reported, exactly where the machine allows them")
    func hugePages() throws {
        let paths = MachinePaths()
        guard let allowed = paths.allowedHugePages else {
            print("skipped: this kernel has no huge pages for shared memory")
            return
        }
        let size = 16 << 20
        let (buffers, report) = try BufferAllocator(preference: .memfd).allocate(count: 1, size: size, name: "test")
        // Whether there were any to give is the kernel's affair; that none came unasked is ours.
        if ["never", "deny"].contains(allowed) { #expect(!report.hugePages) }
        print("huge pages: \(allowed); used: \(report.hugePages)")
        let without = try BufferAllocator(preference: .memfd, hugePages: .never).allocate(
            count: 1,
            size: size,
            name: "test"
        )
        #expect(without.report.hugePages == false)
        for buffer in buffers + without.buffers {
            let writable = try #require(buffer.writableMapping)
            writable.baseAddress.storeBytes(of: 7, toByteOffset: size - 1, as: UInt8.self)
            #expect(try buffer.map(.read).byte(size - 1) == 7)
            try FrameBuffer.verify(descriptor: buffer.descriptor, kind: .memfd, size: size)
        }
    }
}
