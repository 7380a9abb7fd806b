internal import CLinuxMedia
internal import Glibc
public import SystemPackage

/// What this machine has for frames to live in, found out by trying. For reports to a human; ``BufferAllocator`` needs
/// none of it.
public struct MachineMemory: Sendable {
    /// A device that gives memory.
    public struct Device: Sendable, Hashable {
        public let path: String
        /// Why this process can't open it; nil: it can.
        public let error: Errno?
        /// The group that may open it, if any.
        public let group: String?
        /// For a heap: whether it takes from the contiguous memory set aside at boot.
        public let isContiguous: Bool
    }

    /// How something that a kernel may or may not do came out.
    public enum Outcome: Sendable, Hashable {
        case works
        case refused(Errno)
        /// What it takes isn't here.
        case untried
    }

    /// The DMA heaps that there are, by name.
    public let heaps: [Device]
    public let udmabuf: Device
    /// Whether a memfd's size can be sealed: without that nothing is shared.
    public let sizeSeals: Outcome
    /// Whether readers can be kept from writing to a memfd (`F_SEAL_FUTURE_WRITE`, Linux 5.1).
    public let futureWriteSeal: Outcome
    /// Whether a udmabuf can be made over a memfd that has that seal; newer kernels refuse.
    public let udmabufOverSealed: Outcome
    /// Whether the memfd can be sealed so after the udmabuf was made.
    public let sealAfterUdmabuf: Outcome
    /// In bytes, as all that follow; nil: not told.
    public let total, available: Int?
    /// The contiguous memory set aside at boot, and what is free of it.
    public let contiguousTotal, contiguousFree: Int?
    /// What the control groups still allow, where they limit.
    public let controlGroupRoom: Int?
    /// Which huge pages shared memory may have, as the kernel says it (``MachinePaths/allowedHugePages``).
    public let allowedHugePages: String?
    public let hugePageSize: Int?
    public let descriptorLimit, addressSpaceLimit, fileSizeLimit: ProcessLimit

    /// Looks at the machine. Opens every device, and makes and frees a page of memory for each seal.
    public init(_ paths: MachinePaths = MachinePaths()) {
        heaps = paths.heapNames().map {
            Self.device(paths.dmaHeaps + "/" + $0, paths, isContiguous: paths.isContiguous(heap: $0))
        }
        udmabuf = Self.device(paths.udmabuf, paths, isContiguous: false)
        sizeSeals = Self.seal([FS_SEAL_SHRINK | FS_SEAL_GROW])
        futureWriteSeal = Self.seal([FS_SEAL_SHRINK | FS_SEAL_GROW, FS_SEAL_FUTURE_WRITE])
        udmabufOverSealed = Self.udmabuf(paths, sealFirst: true)
        sealAfterUdmabuf = Self.udmabuf(paths, sealFirst: false)
        total = paths.memory("MemTotal")
        available = paths.memory("MemAvailable")
        contiguousTotal = paths.memory("CmaTotal")
        contiguousFree = paths.memory("CmaFree")
        controlGroupRoom = paths.controlGroupRoom
        allowedHugePages = paths.allowedHugePages
        hugePageSize = paths.number(paths.hugePageSize)
        descriptorLimit = .descriptors
        addressSpaceLimit = .addressSpace
        fileSizeLimit = .fileSize
    }

    private static func device(_ path: String, _ paths: MachinePaths, isContiguous: Bool) -> Device {
        let number = open(path, O_RDWR | O_CLOEXEC)
        let error = number < 0 ? Errno(rawValue: errno) : nil
        if number >= 0 { close(number) }
        return Device(path: path, error: error, group: paths.groupName(of: path), isContiguous: isContiguous)
    }

    private static let trial = 65536

    private static func seal(_ steps: [Int32]) -> Outcome {
        guard let memfd = try? Memfd.create(name: "frameshare-trial", size: trial) else { return .untried }
        for seals in steps {
            let result = fs_add_seals(memfd.number, seals)
            guard result == 0 else { return .refused(Errno(rawValue: -result)) }
        }
        return .works
    }

    private static func udmabuf(_ paths: MachinePaths, sealFirst: Bool) -> Outcome {
        let device = OwnedDescriptor(owning: open(paths.udmabuf, O_RDWR | O_CLOEXEC))
        guard device.number >= 0, let memfd = try? Memfd.create(name: "frameshare-trial", size: trial),
            fs_add_seals(memfd.number, FS_SEAL_SHRINK | FS_SEAL_GROW) == 0
        else { return .untried }
        if sealFirst, fs_add_seals(memfd.number, FS_SEAL_FUTURE_WRITE) != 0 { return .untried }
        let made = fs_udmabuf_create(device.number, memfd.number, 0, UInt64(trial))
        guard made >= 0 else { return sealFirst ? .refused(Errno(rawValue: -made)) : .untried }
        defer { close(made) }
        if sealFirst { return .works }
        let sealed = fs_add_seals(memfd.number, FS_SEAL_FUTURE_WRITE)
        return sealed == 0 ? .works : .refused(Errno(rawValue: -sealed))
    }
}
