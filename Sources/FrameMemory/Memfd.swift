internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// Making and sealing memfds (memfd_create(2), fcntl(2)).
enum Memfd {
    /// A memfd of `size` bytes, with its space reserved: an error now, never a SIGBUS later.
    static func create(name: String, size: Int) throws(MemoryError) -> OwnedDescriptor {
        let memfd = try createEmpty(name: name, size: size)
        try reserve(memfd.number, size: size)
        return memfd
    }

    /// A memfd of `size` bytes that has no memory yet; ``reserve(_:size:)`` must follow before anyone touches it.
    static func createEmpty(name: String, size: Int) throws(MemoryError) -> OwnedDescriptor {
        guard size > 0 else { throw .badSize(size) }
        // Past this limit the kernel would not only fail but end the process (SIGXFSZ).
        if let limit = fileSizeLimit, size > limit {
            throw .doesNotFit(asked: size, available: limit, where: "the limit of a file's size, 'ulimit -f'")
        }
        // The kernel allows 249 bytes.
        let number = fs_memfd_create(String(decoding: name.utf8.prefix(200), as: UTF8.self))
        guard number >= 0 else { throw .from(Int(number), call: "memfd_create") }
        let memfd = OwnedDescriptor(owning: number)
        var result = ftruncate(number, off_t(size))
        while result != 0 && errno == EINTR { result = ftruncate(number, off_t(size)) }
        guard result == 0 else { throw .call("ftruncate", Errno(rawValue: errno)) }
        return memfd
    }

    /// Takes the memory for all of it (fallocate(2)).
    static func reserve(_ number: Int32, size: Int) throws(MemoryError) {
        // Part by part: a signal makes the kernel give up the whole call, and signals may come often.
        var offset = 0
        while offset < size {
            let part = min(size - offset, 64 << 20)
            let result = fs_allocate(number, Int64(offset), Int64(part))
            guard result == 0 else {
                switch Errno(rawValue: -result) {
                case .noSpace, .noMemory, .fileTooLarge: throw .outOfMemory(asked: size, source: "memfd")
                case let errno: throw .call("fallocate", errno)
                }
            }
            offset += part
        }
    }

    /// Seals the size for ever, and writing too if asked. Writable mappings made before keep working.
    static func seal(_ number: Int32, againstWriting: Bool) throws(MemoryError) {
        var seals = FS_SEAL_SHRINK | FS_SEAL_GROW
        if againstWriting { seals |= FS_SEAL_FUTURE_WRITE }
        let result = fs_add_seals(number, seals | FS_SEAL_SEAL)
        guard result == 0 else { throw .call("fcntl(F_ADD_SEALS)", Errno(rawValue: -result)) }
    }

    /// Seals the size, and leaves room for further seals: what udmabuf asks of a memfd.
    static func keepSize(_ number: Int32) throws(MemoryError) {
        let result = fs_add_seals(number, FS_SEAL_SHRINK | FS_SEAL_GROW)
        guard result == 0 else { throw .call("fcntl(F_ADD_SEALS)", Errno(rawValue: -result)) }
    }

    /// The largest memfd; nil: as large as memory allows.
    static var fileSizeLimit: Int? { ProcessLimit.fileSize.soft }
}
