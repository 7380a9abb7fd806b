import FrameMemory
import Glibc
import Testing

/// How many memfds this process has open and mapped: what a leak shows in.
enum Resources {
    /// Descriptors of memfds. Others come and go: the test library has some.
    static var descriptors: Int {
        guard let folder = opendir("/proc/self/fd") else { return -1 }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            var target = [CChar](repeating: 0, count: 256)
            let length = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    readlinkat(dirfd(folder), $0, &target, target.count - 1)
                }
            }
            if length > 0, strncmp(target, "/memfd:", 7) == 0 { count += 1 }
        }
        return count
    }

    /// Mappings of memfds whose names begin so.
    static func mappings(named name: String) -> Int {
        let text = "/memfd:" + name
        guard let file = fopen("/proc/self/maps", "re") else { return -1 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        var count = 0
        while fgets(&line, Int32(line.count), file) != nil {
            if strstr(line, text) != nil { count += 1 }
        }
        return count
    }
}

/// memfd_create(2), which Swift can't import: any flags, and no seals but those given.
/// - Parameter reserved: how many of its bytes have memory; nil: all
func rawMemfd(size: Int, flags: UInt32 = 3, seals: Int32 = 0, reserved: Int? = nil) throws -> Int32 {
    typealias Call = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32
    let call = unsafeBitCast(try #require(dlsym(nil, "memfd_create")), to: Call.self)
    let number = call("frameshare-raw", flags)
    try #require(number >= 0, "memfd_create: \(String(cString: strerror(errno)))")
    try #require(ftruncate(number, off_t(size)) == 0)
    if reserved ?? size > 0 { try #require(posix_fallocate(number, 0, off_t(reserved ?? size)) == 0) }
    if seals != 0 { try #require(fcntl(number, 1033, seals) == 0) }
    return number
}

/// The seals of fcntl(2), which Swift can't import either.
enum Seal {
    static let shrink: Int32 = 2
    static let grow: Int32 = 4
    static let futureWrite: Int32 = 16
}

/// A folder of its own, deleted with its owner.
struct ScratchFolder: ~Copyable {
    let path: String

    init() throws {
        path = "/tmp/frameshare-memory-\(getpid())-\(UInt64.random(in: .min ... .max))"
        try #require(mkdir(path, 0o700) == 0)
    }

    /// Writes a file, and the folders it needs.
    @discardableResult
    borrowing func write(_ text: String, to name: String) -> String {
        let parts = name.split(separator: "/")
        var folder = path
        for part in parts.dropLast() {
            folder += "/" + part
            mkdir(folder, 0o700)
        }
        let file = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        let bytes = Array(text.utf8)
        if Glibc.write(file, bytes, bytes.count) != bytes.count { Issue.record("\(name) was not written") }
        close(file)
        return path + "/" + name
    }

    deinit { _ = run(["/bin/rm", "-rf", path]) }
}

extension Mapping {
    func byte(_ offset: Int = 0) -> UInt8 { withBytes { $0[offset] } }
    func isFilled(with value: UInt8) -> Bool { withBytes { $0.allSatisfy { $0 == value } } }
}

/// Runs a program to its end, with one descriptor of ours as its number 3.
/// - Returns: its exit status and what it printed
func run(_ arguments: [String], descriptor: Int32 = -1) -> (status: Int32, output: String) {
    // A file, not a pipe: other tests start processes, too, which could inherit and hold a pipe's end.
    let path = "/tmp/frameshare-output-\(getpid())-\(UInt64.random(in: .min ... .max))"
    let printed = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard printed >= 0 else { return (-1, "\(path) can't be made") }
    unlink(path)
    defer { close(printed) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, printed, 1)
    posix_spawn_file_actions_adddup2(&actions, printed, 2)
    if descriptor >= 0 { posix_spawn_file_actions_adddup2(&actions, descriptor, 3) }
    var pid = pid_t()
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    let failed = posix_spawn(&pid, arguments[0], &actions, nil, &words, environ)
    posix_spawn_file_actions_destroy(&actions)
    for word in words { free(word) }
    guard failed == 0 else { return (-1, "\(arguments[0]): \(String(cString: strerror(failed)))") }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    var output = [UInt8](repeating: 0, count: 65536)
    let count = pread(printed, &output, output.count, 0)
    return (status, String(decoding: output.prefix(max(0, count)), as: UTF8.self))
}
