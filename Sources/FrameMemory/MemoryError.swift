public import SystemPackage

/// What can go wrong with buffers.
public enum MemoryError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A system call failed.
    case call(String, Errno)
    /// A device or heap could not be opened.
    case open(path: String, Errno)
    /// This process, or the machine, has no descriptors left.
    case outOfDescriptors(call: String)
    /// The buffers would not fit; nothing was allocated.
    case doesNotFit(asked: Int, available: Int, where: String)
    /// The kernel could not give the memory.
    case outOfMemory(asked: Int, source: String)
    /// A size that is not possible.
    case badSize(Int)
    /// A place in a descriptor that no page begins at, in bytes.
    case badOffset(Int)
    /// A descriptor does not hold as many bytes as its sender says.
    case tooSmall(found: Int, needed: Int)
    /// A memfd with holes: what is missing would come at its readers' expense.
    case sparse(found: Int, needed: Int)
    /// A memfd that could be shrunk, or written, under its readers.
    case notSealed(found: Int32)
    /// A descriptor that should be a dma-buf and is none.
    case notDMABuf
    /// A descriptor that should be a memfd and is none.
    case notMemfd
    /// A memfd of reserved huge pages (`MFD_HUGETLB`): such pages can be missing when they are read, seal or not.
    case hugeTLB
    /// Nothing that was asked for can be had here.
    case nothingAvailable(attempts: [AllocationAttempt])

    public var description: String {
        switch self {
        case .call("mmap", .noMemory):
            return "mmap failed: this process may map no more; raise 'ulimit -v', or use fewer slots"
        case .call(let call, let errno): return "\(call) failed: \(errno)"
        case .open(let path, let errno):
            return "\(path) can't be opened: \(errno)"
                + (errno == .permissionDenied ? "; 'ls -l \(path)' shows who may read and write it" : "")
        case .outOfDescriptors(let call):
            return "\(call): this process has no file descriptors left; raise 'ulimit -n', or use fewer slots"
        case .doesNotFit(let asked, let available, let place):
            return "\(Self.megabytes(asked)) are asked for and \(Self.megabytes(available)) are available (\(place));"
                + " use fewer slots, or a smaller image"
        case .outOfMemory(let asked, let source):
            return "\(source) has no room for \(Self.megabytes(asked)); use fewer slots, or a smaller image"
        case .badSize(let size): return "a buffer of \(size) bytes is not possible"
        case .badOffset(let offset):
            return "a buffer can't begin at byte \(offset) of its descriptor: no page does"
        case .tooSmall(let found, let needed):
            return "a buffer has \(found) bytes where its sender says \(needed): it would fault when read"
        case .sparse(let found, let needed):
            return "a memfd has memory for \(found) of \(needed) bytes: its readers would pay for the rest"
        case .notSealed(let seals):
            return "a memfd is not sealed as it must be (seals \(seals)): its sender could change it under its readers"
        case .notDMABuf: return "a descriptor is no dma-buf, though its sender says so"
        case .hugeTLB: return "a memfd has huge pages of the reserved kind: it could fault when read"
        case .notMemfd: return "a descriptor is no memfd, though its sender says so"
        case .nothingAvailable(let attempts):
            return "no memory of the kind asked for: " + attempts.map(\.description).joined(separator: "; ")
        }
    }

    static func megabytes(_ bytes: Int) -> String {
        bytes < 10_000_000 ? "\((bytes + 999) / 1000) kB" : "\((bytes + 999_999) / 1_000_000) MB"
    }

    /// The error of a call that returned -errno, out of descriptors told apart.
    static func from(_ result: Int, call: String) -> MemoryError {
        let errno = Errno(rawValue: Int32(truncatingIfNeeded: -result))
        return errno == .tooManyOpenFiles || errno == .tooManyOpenFilesInSystem
            ? .outOfDescriptors(call: call) : .call(call, errno)
    }
}
