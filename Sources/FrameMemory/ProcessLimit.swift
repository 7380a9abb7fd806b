internal import Glibc

/// A limit of this process (getrlimit(2)).
public struct ProcessLimit: Sendable, Hashable {
    /// The limit that holds; nil: none.
    public let soft: Int?
    /// How far this process may raise it by itself; nil: as it likes.
    public let hard: Int?

    /// The largest file, and so the largest memfd, in bytes (`RLIMIT_FSIZE`, `ulimit -f`).
    public static var fileSize: ProcessLimit { read(RLIMIT_FSIZE) }
    /// How many descriptors (`RLIMIT_NOFILE`, `ulimit -n`).
    public static var descriptors: ProcessLimit { read(RLIMIT_NOFILE) }
    /// The bytes that may be mapped (`RLIMIT_AS`, `ulimit -v`).
    public static var addressSpace: ProcessLimit { read(RLIMIT_AS) }

    private static func read(_ resource: __rlimit_resource) -> ProcessLimit {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else {
            return ProcessLimit(soft: nil, hard: nil)
        }
        return ProcessLimit(soft: bounded(limit.rlim_cur), hard: bounded(limit.rlim_max))
    }

    private static func bounded(_ value: rlim_t) -> Int? { Int(exactly: value) }
}
