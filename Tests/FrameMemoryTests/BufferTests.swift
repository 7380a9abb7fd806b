import FrameMemory
import Glibc
import SystemPackage
import Testing

@Suite struct BufferTests {
    private func one(_ size: Int = 65536) throws -> FrameBuffer {
        try BufferAllocator(preference: .memfd).allocate(count: 1, size: size, name: "test").buffers[0]
    }

    @Test("a memfd buffer is sealed: its owner writes, nobody else can, by no known way")
    func sealed() throws {
        let buffer = try one()
        #expect(buffer.writeProtection == .sealed)
        let writable = try #require(buffer.writableMapping)
        writable.baseAddress.storeBytes(of: 0x1234_5678, as: UInt32.self)

        #expect(throws: MemoryError.call("mmap", .notPermitted)) {
            try Mapping(descriptor: buffer.descriptor, size: buffer.size, access: .readWrite)
        }
        var byte: UInt8 = 0
        #expect(pwrite(buffer.descriptor, &byte, 1, 0) == -1 && errno == EPERM)
        #expect(ftruncate(buffer.descriptor, 0) == -1 && errno == EPERM)
        #expect(ftruncate(buffer.descriptor, 1 << 20) == -1 && errno == EPERM)
        let again = open("/proc/self/fd/\(buffer.descriptor)", O_RDWR | O_CLOEXEC)
        defer { if again >= 0 { close(again) } }
        #expect(again < 0 || pwrite(again, &byte, 1, 0) == -1)
        if again >= 0 {
            #expect(throws: MemoryError.self) { try Mapping(descriptor: again, size: buffer.size, access: .readWrite) }
        }
        let reader = try buffer.map(.read)
        #expect(reader.baseAddress.load(as: UInt32.self) == 0x1234_5678)
    }

    @Test("what a peer sends is refused unless it can't fault: seals and size")
    func refusals() throws {
        do {
            let number = unsealedMemfd(size: 8192)
            #expect(throws: MemoryError.self) {
                try FrameBuffer(
                    adopting: OwnedDescriptor(owning: number), kind: .memfd, size: 8192, writeProtection: .sealed)
            }
            let small = try one(4096)
            #expect(throws: MemoryError.tooSmall(found: 4096, needed: 4097)) {
                try FrameBuffer.verify(descriptor: small.descriptor, kind: .memfd, size: 4097)
            }
            #expect(throws: MemoryError.notDMABuf) {
                try FrameBuffer.verify(descriptor: small.descriptor, kind: .dmaBuf, size: 4096)
            }
            #expect(throws: MemoryError.badSize(0)) {
                try FrameBuffer.verify(descriptor: small.descriptor, kind: .memfd, size: 0)
            }
            let file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
            let plain = OwnedDescriptor(owning: file)
            #expect(throws: MemoryError.notMemfd) {
                try FrameBuffer.verify(descriptor: plain.number, kind: .memfd, size: 1)
            }
        }
    }

    @Test("control memory starts zeroed, and a second mapping sees what the first writes")
    func sharedMemory() throws {
        let ours = try SharedMemory(creating: "test", size: 4096, readersMayWrite: true)
        let copy = OwnedDescriptor(owning: fcntl(ours.descriptor, F_DUPFD_CLOEXEC, 0))
        let theirs = try SharedMemory(adopting: copy, size: 4096, access: .readWrite)
        #expect(theirs.mapping.bytes.allSatisfy { $0 == 0 })
        ours.mapping.baseAddress.storeBytes(of: 7, toByteOffset: 104, as: UInt64.self)
        #expect(theirs.mapping.baseAddress.load(fromByteOffset: 104, as: UInt64.self) == 7)
        #expect(ftruncate(ours.descriptor, 0) == -1)
    }

    @Test("buffers and their mappings leave nothing behind, nor does what was refused")
    func noLeak() async {
        // In a process of its own: other tests open descriptors meanwhile.
        await #expect(processExitsWith: .success) {
            let before = Resources.descriptors
            for _ in 0..<20 {
                let (buffers, _) = try BufferAllocator(preference: .memfd).allocate(
                    count: 4, size: 1 << 20, name: "leak")
                for buffer in buffers { _ = try buffer.map(.read) }
                let refused = try? FrameBuffer(
                    adopting: OwnedDescriptor(owning: unsealedMemfd(size: 4096)), kind: .memfd, size: 4096,
                    writeProtection: .sealed)
                if refused != nil { exit(2) }
            }
            if Resources.descriptors != before { exit(3) }
        }
    }
}
