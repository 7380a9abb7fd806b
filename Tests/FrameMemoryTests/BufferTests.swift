import FrameMemory
import Glibc
import SystemPackage
import Testing

@Suite struct BufferTests {
    private func one(_ size: Int = 65536) throws -> FrameBuffer {
        try BufferAllocator(preference: .memfd).allocate(count: 1, size: size, name: "test").buffers[0]
    }

    @Test("the mapping made before the seal writes on; none for writing can be made after it")
    func sealed() throws {
        let buffer = try one()
        #expect(buffer.kind == .memfd && buffer.size == 65536 && buffer.writeProtection == .sealed)
        let writable = try #require(buffer.writableMapping)
        writable.baseAddress.storeBytes(of: 0x1234_5678, as: UInt32.self)
        #expect(throws: MemoryError.call("mmap", .notPermitted)) {
            try Mapping(descriptor: buffer.descriptor, size: buffer.size, access: .readWrite)
        }
        #expect(try buffer.map(.readWrite) === writable)
        let reader = try buffer.map(.read)
        #expect(reader !== writable)
        #expect(reader.withBytes { $0.load(as: UInt32.self) } == 0x1234_5678)
        // For a memfd there is no cache to synchronise, and no ioctl that could fail.
        try buffer.beginCPUAccess(.readWrite)
        try buffer.endCPUAccess(.readWrite)
    }

    @Test(
        "buffers that lie together share one sealed descriptor, each from a page on; none reaches into another",
        arguments: [1, 4096, 10_000]
    )
    func together(size: Int) throws {
        let page = Int(getpagesize())
        let stride = (size + page - 1) / page * page
        let allocator = BufferAllocator(preference: .memfd)
        let (buffers, report) = try allocator.allocate(count: 7, size: size, name: "test", together: true)
        #expect(Set(buffers.map(\.descriptor)).count == 1)
        #expect(buffers.map(\.offset) == (0..<7).map { $0 * stride })
        #expect(buffers.allSatisfy { $0.size == size && $0.writeProtection == .sealed && report.kind == .memfd })
        var status = stat()
        #expect(fstat(buffers[0].descriptor, &status) == 0)
        #expect(Int(status.st_size) == 6 * stride + size && Int(status.st_blocks) * 512 >= 7 * stride)
        for (i, buffer) in buffers.enumerated() {
            let mapping = try #require(buffer.writableMapping)
            #expect(mapping.size == size)
            memset(mapping.baseAddress, Int32(i + 1), size)
        }
        for (i, buffer) in buffers.enumerated() {
            #expect(try buffer.map(.read).isFilled(with: UInt8(i + 1)))
            var byte: UInt8 = 0
            #expect(pread(buffer.descriptor, &byte, 1, off_t(buffer.offset)) == 1 && byte == UInt8(i + 1))
        }
    }

    @Test("a part stays mapped as long as it is used, whatever else has gone")
    func partOutlives() throws {
        let mapping: Mapping
        do {
            let allocator = BufferAllocator(preference: .memfd)
            let buffers = try allocator.allocate(count: 3, size: 4096, name: "test", together: true).buffers
            mapping = try #require(buffers[1].writableMapping)
        }
        memset(mapping.baseAddress, 7, mapping.size)
        #expect(mapping.isFilled(with: 7))
    }

    @Test("a buffer that would begin between pages, or end behind its memory, is refused")
    func badParts() throws {
        let memory = try one().memory
        func refused(_ offset: Int, _ size: Int) -> MemoryError? {
            do throws(MemoryError) {
                _ = try FrameBuffer(in: memory, offset: offset, size: size)
                return nil
            } catch {
                return error
            }
        }
        let page = Int(getpagesize())
        let last = 65536 - page
        #expect(refused(0, 65536) == nil && refused(last, page) == nil)
        #expect(refused(8, 8) == .badOffset(8) && refused(-page, 8) == .badOffset(-page))
        #expect(refused(0, 0) == .badSize(0) && refused(0, -1) == .badSize(-1))
        #expect(refused(last, page + 1) == .tooSmall(found: 65536, needed: 65537))
        #expect(refused(last, .max) == .tooSmall(found: 65536, needed: .max))
    }

    @Test("a mapping stays valid after its buffer is gone")
    func mappingOutlives() throws {
        let mapping: Mapping
        do {
            let buffer = try one()
            buffer.writableMapping?.baseAddress.storeBytes(of: 42, as: UInt8.self)
            mapping = try buffer.map(.read)
        }
        #expect(mapping.byte() == 42)
    }

    @Test(
        "every page is there once it was asked for",
        arguments: [Mapping.Access.read, .readWrite]
    )
    func prefault(access: Mapping.Access) throws {
        let size = 64 * Int(getpagesize())
        let memfd = OwnedDescriptor(owning: try rawMemfd(size: size))
        let mapping = try Mapping(descriptor: memfd.number, size: size, access: access)
        #expect(resident(mapping) == 0)
        mapping.prefault()
        #expect(resident(mapping) == size / Int(getpagesize()))
        #expect(mapping.isFilled(with: 0))
    }

    /// How many pages are there, without touching them.
    private func resident(_ mapping: Mapping) -> Int {
        var pages = [UInt8](repeating: 0, count: mapping.size / Int(getpagesize()))
        guard mincore(mapping.baseAddress, mapping.size, &pages) == 0 else { return -1 }
        return pages.count { $0 & 1 == 1 }
    }

    @Test("space is reserved before anything touches it, prefaulted or not", arguments: [true, false])
    func reserved(prefault: Bool) throws {
        let allocator = BufferAllocator(preference: .memfd, prefault: prefault)
        let buffer = try allocator.allocate(count: 1, size: 1 << 20, name: "test").buffers[0]
        var status = stat()
        #expect(fstat(buffer.descriptor, &status) == 0)
        #expect(status.st_size == 1 << 20 && Int(status.st_blocks) * 512 >= 1 << 20)
    }

    @Test("a memfd that could shrink, is too small, has holes or is none at all is refused before it is mapped")
    func refusals() throws {
        func refused(_ number: Int32, _ kind: MemoryKind, _ size: Int) -> MemoryError? {
            do throws(MemoryError) {
                _ = try FrameBuffer(
                    adopting: OwnedDescriptor(owning: number),
                    kind: kind,
                    size: size,
                    writeProtection: .sealed
                )
                return nil
            } catch {
                return error
            }
        }
        // Each of these is right in all but one thing, as the first shows.
        #expect(refused(try rawMemfd(size: 8192, seals: Seal.shrink), .memfd, 8192) == nil)
        #expect(refused(try rawMemfd(size: 8192), .memfd, 8192) == .notSealed(found: 0))
        #expect(refused(try rawMemfd(size: 8192, seals: Seal.grow), .memfd, 8192) == .notSealed(found: Seal.grow))
        #expect(
            refused(try rawMemfd(size: 8192, seals: Seal.shrink), .memfd, 8193) == .tooSmall(found: 8192, needed: 8193)
        )
        #expect(
            refused(try rawMemfd(size: 1 << 40, seals: Seal.shrink, reserved: 0), .memfd, 1 << 40)
                == .sparse(found: 0, needed: 1 << 40)
        )
        let page = Int(getpagesize())
        #expect(
            refused(try rawMemfd(size: 2 * page, seals: Seal.shrink, reserved: page), .memfd, 2 * page)
                == .sparse(found: page, needed: 2 * page)
        )
        // What is there may be what is not used.
        #expect(
            refused(try rawMemfd(size: 2 * page, seals: Seal.shrink, reserved: page), .memfd, page)
                == .sparse(found: page, needed: 2 * page)
        )
        #expect(refused(try rawMemfd(size: 8192, seals: Seal.shrink), .memfd, 0) == .badSize(0))
        #expect(refused(try rawMemfd(size: 8192, seals: Seal.shrink), .memfd, -1) == .badSize(-1))
        for kind in [MemoryKind.dmaBuf, .dmaHeap, .udmabuf] {
            #expect(refused(try rawMemfd(size: 8192, seals: Seal.shrink), kind, 8192) == .notDMABuf)
        }
        #expect(refused(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), .memfd, 1) == .notMemfd)
        #expect(refused(-1, .memfd, 1) == .notMemfd)
        #expect(refused(-1, .dmaBuf, 1) == .notDMABuf)
    }

    @Test("a memfd of one's own gets what memory it lacks, and keeps what it had")
    func reservedWhenAdopted() throws {
        let number = try rawMemfd(size: 65536, seals: Seal.shrink | Seal.grow, reserved: 0)
        #expect(pwrite(number, "x", 1, 40_000) == 1)
        let buffer = try FrameBuffer(
            adopting: OwnedDescriptor(owning: number),
            kind: .memfd,
            size: 65536,
            writeProtection: .none,
            reserving: true
        )
        var status = stat()
        #expect(fstat(buffer.descriptor, &status) == 0 && Int(status.st_blocks) * 512 >= 65536)
        #expect(try buffer.map(.read).withBytes { $0[40_000] } == UInt8(ascii: "x"))
        #expect(throws: MemoryError.tooSmall(found: 8192, needed: 8193)) {
            _ = try FrameBuffer(
                adopting: OwnedDescriptor(owning: try rawMemfd(size: 8192, seals: Seal.shrink, reserved: 0)),
                kind: .memfd,
                size: 8193,
                writeProtection: .none,
                reserving: true
            )
        }
    }

    @Test("reserved huge pages are refused: sealed or not, they can be missing when they are read")
    func hugeTLB() throws {
        // MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB
        guard let number = try? rawMemfd(size: 1 << 30, flags: 7, seals: Seal.shrink, reserved: 0) else {
            print("skipped: this kernel has no reserved huge pages")
            return
        }
        defer { close(number) }
        #expect(throws: MemoryError.hugeTLB) {
            try FrameBuffer.verify(descriptor: number, kind: .memfd, size: 4096)
        }
    }

    @Test("what was verified can't be made to fault: its sender's attempts to shrink it fail")
    func noFault() throws {
        let sender = try rawMemfd(size: 65536, seals: Seal.shrink)
        defer { close(sender) }
        let received = OwnedDescriptor(owning: fcntl(sender, F_DUPFD_CLOEXEC, 0))
        let buffer = try FrameBuffer(
            adopting: received,
            kind: .memfd,
            size: 65536,
            writeProtection: .none
        )
        let mapping = try buffer.map(.read)
        #expect(ftruncate(sender, 0) == -1 && errno == EPERM)
        #expect(open("/proc/self/fd/\(sender)", O_RDWR | O_TRUNC | O_CLOEXEC) == -1)
        #expect(mapping.isFilled(with: 0))
    }

    @Test("control memory starts zeroed, and a second mapping sees what the first writes")
    func sharedMemory() throws {
        let ours = try SharedMemory(creating: "test", size: 4096, readersMayWrite: true)
        let copy = OwnedDescriptor(owning: fcntl(ours.descriptor, F_DUPFD_CLOEXEC, 0))
        let theirs = try SharedMemory(adopting: copy, size: 4096, access: .readWrite)
        #expect(theirs.mapping.isFilled(with: 0))
        ours.mapping.baseAddress.storeBytes(of: 7, toByteOffset: 104, as: UInt64.self)
        #expect(theirs.mapping.withBytes { $0.load(fromByteOffset: 104, as: UInt64.self) } == 7)
        #expect(ftruncate(ours.descriptor, 0) == -1)
        #expect(throws: MemoryError.tooSmall(found: 4096, needed: 8192)) {
            try SharedMemory(
                adopting: OwnedDescriptor(owning: fcntl(ours.descriptor, F_DUPFD_CLOEXEC, 0)),
                size: 8192,
                access: .read
            )
        }
        #expect(throws: MemoryError.badSize(0)) {
            try SharedMemory(creating: "test", size: 0, readersMayWrite: true)
        }
    }

    @Test("a name of any length and script is no reason to fail")
    func names() throws {
        for name in [String(repeating: "é", count: 300), String(repeating: "x", count: 5000), ""] {
            _ = try SharedMemory(creating: name, size: 4096, readersMayWrite: true)
            _ = try BufferAllocator(preference: .memfd).allocate(count: 1, size: 4096, name: name)
        }
    }
}
