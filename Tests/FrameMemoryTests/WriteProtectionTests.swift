import FrameMemory
import Glibc
import SystemPackage
import Testing

/// What another process can do to a buffer that it was given.
@Suite struct WriteProtectionTests {
    /// Tries every known way to change the memory behind descriptor 3, in a process of its own, and prints those that
    /// worked. The first argument is the user to do it as.
    private static let attack = """
        import ctypes, mmap, os, sys
        if int(sys.argv[1]) != os.getuid():
            os.setgroups([])
            os.setgid(int(sys.argv[1]))
            os.setuid(int(sys.argv[1]))
        size = os.fstat(3).st_size
        libc = ctypes.CDLL(None, use_errno=True)

        def reopened(flags):
            return os.open("/proc/self/fd/3", flags)

        def written_map(fd):
            with mmap.mmap(fd, size) as m:
                m[0] = 66

        def protect():
            libc.mmap.restype = ctypes.c_void_p
            address = libc.mmap(None, size, 1, 1, 3, 0)
            if libc.mprotect(ctypes.c_void_p(address), size, 3) != 0:
                raise OSError(ctypes.get_errno())
            ctypes.memset(address, 66, 1)

        def punch():
            if libc.fallocate(3, 3, ctypes.c_long(0), ctypes.c_long(mmap.PAGESIZE)) != 0:
                raise OSError(ctypes.get_errno())

        ways = {
            "map": lambda: written_map(3),
            "map-reopened": lambda: written_map(reopened(os.O_RDWR)),
            "mprotect": protect,
            "pwrite": lambda: os.pwrite(3, b"B", 0),
            "pwrite-reopened": lambda: os.pwrite(reopened(os.O_RDWR), b"B", 0),
            "truncate-on-open": lambda: reopened(os.O_RDWR | os.O_TRUNC) and os.fstat(3).st_size == size and 1 / 0,
            "punch": punch,
            "shrink": lambda: os.ftruncate(3, 0),
            "grow": lambda: os.ftruncate(3, 1 << 20),
        }
        for name, way in ways.items():
            try:
                way()
                print(name)
            except Exception:
                pass
        """

    private static let python: String? = ["/usr/bin/python3", "/usr/local/bin/python3"].first { (path: String) in
        access(path, X_OK) == 0
    }

    private func attempts(on descriptor: Int32, as user: UInt32) throws -> [String] {
        let (status, output) = run([try #require(Self.python), "-c", Self.attack, "\(user)"], descriptor: descriptor)
        try #require(status == 0, "\(output)")
        return output.split(separator: "\n").map(String.init)
    }

    /// Ourselves, and if we may, another user.
    private static var users: [UInt32] { getuid() == 0 ? [0, 65534] : [getuid()] }

    @Test(
        "no other process can write, shrink or grow a sealed buffer, root or not, while its owner still writes",
        .enabled(if: python != nil, "there is no python3 to be the other process"),
        arguments: users
    )
    func sealed(user: UInt32) throws {
        let buffer = try BufferAllocator(preference: .memfd).allocate(count: 1, size: 65536, name: "test").buffers[0]
        try #require(buffer.writeProtection == .sealed)
        let writable = try #require(buffer.writableMapping)
        writable.baseAddress.initializeMemory(as: UInt8.self, repeating: 65, count: 65536)
        #expect(try attempts(on: buffer.descriptor, as: user) == [])
        #expect(writable.isFilled(with: 65))
        writable.baseAddress.storeBytes(of: 67, as: UInt8.self)
        #expect(try buffer.map(.read).byte() == 67)
    }

    @Test(
        "the same attempts succeed where a seal is missing, so that they prove something",
        .enabled(if: python != nil, "there is no python3 to be the other process")
    )
    func unsealed() throws {
        let open = OwnedDescriptor(owning: try rawMemfd(size: 65536))
        #expect(
            try attempts(on: open.number, as: getuid()) == [
                "map", "map-reopened", "mprotect", "pwrite", "pwrite-reopened", "truncate-on-open", "punch", "shrink",
                "grow",
            ]
        )
        let sized = OwnedDescriptor(owning: try rawMemfd(size: 65536, seals: Seal.shrink | Seal.grow))
        #expect(
            try attempts(on: sized.number, as: getuid()) == [
                "map", "map-reopened", "mprotect", "pwrite", "pwrite-reopened", "punch",
            ]
        )
    }

    @Test(
        "control memory that readers may not write can't be written by them",
        .enabled(if: python != nil, "there is no python3 to be the other process")
    )
    func control() throws {
        let page = try SharedMemory(creating: "test", size: 4096, readersMayWrite: false)
        #expect(try attempts(on: page.descriptor, as: getuid()) == [])
        let lane = try SharedMemory(creating: "test", size: 4096, readersMayWrite: true)
        #expect(try attempts(on: lane.descriptor, as: getuid()).contains("map"))
        #expect(try attempts(on: lane.descriptor, as: getuid()).contains("shrink") == false)
    }

    @Test("a protection that is claimed counts only where the kernel confirms it")
    func claims() throws {
        func adopted(seals: Int32, claim: WriteProtection) throws -> WriteProtection {
            try FrameBuffer(
                adopting: OwnedDescriptor(owning: try rawMemfd(size: 4096, seals: seals)),
                kind: .memfd,
                size: 4096,
                writeProtection: claim
            ).writeProtection
        }
        #expect(try adopted(seals: Seal.shrink, claim: .sealed) == .none)
        #expect(try adopted(seals: Seal.shrink, claim: .readOnlyExport) == .none)
        #expect(try adopted(seals: Seal.shrink | Seal.futureWrite, claim: .sealed) == .sealed)
        #expect(try adopted(seals: Seal.shrink, claim: .none) == .none)
        // A memfd opened read-only is no protection: anyone opens it anew.
        let buffer = try rawMemfd(size: 4096, seals: Seal.shrink)
        defer { close(buffer) }
        let reader = open("/proc/self/fd/\(buffer)", O_RDONLY | O_CLOEXEC)
        let adopted = try FrameBuffer(
            adopting: OwnedDescriptor(owning: reader),
            kind: .memfd,
            size: 4096,
            writeProtection: .readOnlyExport
        )
        #expect(adopted.writeProtection == .none)
    }
}
