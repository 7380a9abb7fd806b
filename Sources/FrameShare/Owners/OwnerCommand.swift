internal import CLinuxMedia
internal import FrameMemory
internal import Glibc

/// The command `frameshare` as a source's owner: where it is, and how it is started.
///
/// The owner is nobody's child, has a session of its own, and ends by itself when nobody is left. What it inherits:
/// SECURITY.md, "Owners".
struct OwnerCommand {
    let path: String

    /// Where `FRAMESHARE_COMMAND` says, beside the running program, beside the library, or on the `PATH`.
    static func find() throws(OwnerError) -> OwnerCommand {
        // Of a program with more rights than its user, the environment is its user's.
        guard fs_has_more_rights() == 0 else { throw .privileged }
        if let given = variable("FRAMESHARE_COMMAND") {
            guard isProgram(given) else { throw .noCommand(tried: [given]) }
            return OwnerCommand(path: given)
        }
        var tried: [String] = []
        var folders: [String] = []
        if let program = link("/proc/self/exe") { folders.append(folder(of: program)) }
        if let library = libraryPath() {
            // As installed, in a tarball, and in a package of Python's.
            let place = folder(of: library)
            folders += [place, place + "/bin", place + "/../bin", place + "/../../bin"]
        }
        // An empty or relative entry of PATH means the working directory, which may be anyone's.
        folders += (variable("PATH") ?? "/usr/local/bin:/usr/bin").split(separator: ":").map(String.init).filter {
            $0.hasPrefix("/")
        }
        for folder in folders {
            let path = folder + "/frameshare"
            if isProgram(path) { return OwnerCommand(path: path) }
            tried.append(path)
        }
        throw .noCommand(tried: tried)
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).flatMap { $0.pointee == 0 ? nil : PathText.text(cString: $0) }
    }

    private static func isProgram(_ path: String) -> Bool {
        var status = stat()
        let name = PathText.cString(path)
        return stat(name, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(name, X_OK) == 0
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    private static func link(_ path: String) -> String? {
        var room = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(path, &room, room.count)
        guard length > 0, length < room.count else { return nil }
        return PathText.text(room[..<length].map { UInt8(bitPattern: $0) })
    }

    /// The file that this code was loaded from.
    private static func libraryPath() -> String? {
        guard let name = fs_own_file_name() else { return nil }
        guard let resolved = realpath(name, nil) else { return nil }
        defer { free(resolved) }
        return PathText.text(cString: resolved)
    }

    // MARK: starting

    /// The number that the lock has in the owner.
    static let lockNumber: Int32 = 3

    /// The variables that an owner gets: where channels are, what finds cameras and libraries, and in which language it talks.
    private static let variables = [
        "HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER", "XDG_RUNTIME_DIR",
    ]
    private static let prefixes = ["FRAMESHARE_", "LC_", "LIBCAMERA_"]

    private static func environment(directory: String) -> [String] {
        var result = ["FRAMESHARE_DIR=\(directory)"]
        guard var entry = fs_environment() else { return result }
        while let text = entry.pointee {
            let line = PathText.text(cString: text)
            entry += 1
            guard let name = line.split(separator: "=", maxSplits: 1).first, name != "FRAMESHARE_DIR" else { continue }
            guard variables.contains(String(name)) || prefixes.contains(where: { name.hasPrefix($0) }) else { continue }
            result.append(line)
        }
        return result
    }

    enum Outcome {
        /// It publishes the source, or another process does so already.
        case ready
        /// It ended without a word, such as by a signal.
        case gone
    }

    /// Starts an owner, and waits until it publishes.
    /// - Parameters:
    ///   - arguments: of `frameshare`
    ///   - lock: a descriptor that the owner keeps open until it publishes
    func start(
        _ arguments: [String],
        lock: Int32,
        directory: String,
        source: String,
        until deadline: Deadline
    ) throws(OwnerError) -> Outcome {
        let (output, errors) = (try Self.pipe(path), try Self.pipe(path))
        let child = try spawn(arguments, directory, lock, output.write.number, errors.write.number)
        output.write.close()
        errors.write.close()
        defer { Self.reap(child) }
        var (said, complaint): ([UInt8], [UInt8]) = ([], [])
        var open = [output.read.number, errors.read.number].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while open[0].fd >= 0 || open[1].fd >= 0 {
            if said.contains(UInt8(ascii: "\n")) { return .ready }
            guard !deadline.hasPassed else {
                // All that was started, which is a group of its own; the child is not reaped yet, so the number is its own.
                _ = kill(-child, SIGKILL)
                throw .timedOut(source: source)
            }
            let left = deadline.remaining(atMost: 100_000_000)
            guard poll(&open, 2, Int32((left + 999_999) / 1_000_000)) > 0 else { continue }
            if open[0].revents != 0, !Self.take(open[0].fd, &said) { open[0].fd = -1 }
            if open[1].revents != 0, !Self.take(open[1].fd, &complaint) { open[1].fd = -1 }
        }
        if said.contains(UInt8(ascii: "\n")) { return .ready }
        let text = String(decoding: complaint.prefix(1000), as: UTF8.self).displayText
        guard text.contains(where: { !$0.isWhitespace }) else { return .gone }
        let reason = text.hasPrefix("frameshare: ") ? String(text.dropFirst("frameshare: ".count)) : text
        throw .failed(source: source, reason.split(whereSeparator: \.isNewline).joined(separator: "; "))
    }

    private static func take(_ number: Int32, _ bytes: inout [UInt8]) -> Bool {
        var room = [UInt8](repeating: 0, count: 512)
        let count = read(number, &room, room.count)
        if count < 0 { return errno == EINTR || errno == EAGAIN }
        if bytes.count < 4096 { bytes += room.prefix(count) }
        return count > 0
    }

    private static func reap(_ child: pid_t) {
        var status: Int32 = 0
        // The first process ends at once; the owner is its child, and then nobody's. Where SIGCHLD is ignored there is nothing
        // to wait for.
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    }

    private static func pipe(_ command: String) throws(OwnerError) -> (read: KeptDescriptor, write: KeptDescriptor) {
        var (read, write): (Int32, Int32) = (-1, -1)
        let result = fs_pipe(&read, &write)
        guard result == 0 else { throw .notStarted(command: command, String(cString: strerror(-result))) }
        return (KeptDescriptor(read), KeptDescriptor(write))
    }

    private func spawn(
        _ arguments: [String],
        _ directory: String,
        _ lock: Int32,
        _ output: Int32,
        _ errors: Int32
    ) throws(OwnerError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
        posix_spawn_file_actions_adddup2(&actions, lock, Self.lockNumber)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) | Int16(FS_SPAWN_SETSID)
        )
        var words = ([path] + arguments).map { strdup(PathText.cString($0)) } + [nil]
        var environment = Self.environment(directory: directory).map { strdup(PathText.cString($0)) } + [nil]
        defer { for word in words + environment { free(word) } }
        var child: pid_t = 0
        let result = posix_spawn(&child, PathText.cString(path), &actions, &attributes, &words, &environment)
        guard result == 0 else { throw .notStarted(command: path, String(cString: strerror(result))) }
        return child
    }
}

/// A descriptor of this process. Its number is above those that the new process gets: none is overwritten before it is used.
final class KeptDescriptor {
    private(set) var number: Int32

    init(_ number: Int32) {
        let high = fcntl(number, F_DUPFD_CLOEXEC, 10)
        if high >= 0 { Glibc.close(number) }
        self.number = high >= 0 ? high : number
    }

    func close() {
        if number >= 0 { Glibc.close(number) }
        number = -1
    }

    deinit { close() }
}
