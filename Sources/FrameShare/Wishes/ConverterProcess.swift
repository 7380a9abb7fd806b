internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// A hidden `frameshare convert`: it belongs to nobody, and ends when nobody reads it any more.
struct ConverterProcess {
    /// The read end of what it says until it is ready.
    private let output: Int32

    /// - Parameter environment: what is set in it beside what this process has
    init(arguments: [String], environment added: [(String, String)]) throws(WishError) {
        let program = try Self.program()
        var pipe: (Int32, Int32) = (-1, -1)
        let piped = fs_pipe(&pipe.0, &pipe.1)
        guard piped == 0 else { throw .notStarted("pipe2: \(Errno(rawValue: -piped))") }
        defer { close(pipe.1) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipe.1, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, pipe.1, STDERR_FILENO)
        // What the program has open is not the converter's.
        _ = fs_spawn_close_from(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // setsid --fork leaves it to init: this process has no child to wait for, and no terminal reaches it.
        let words = ["setsid", "--fork", program] + arguments
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { word in
            let bytes = PathText.cString(word)
            return bytes.withUnsafeBufferPointer { $0.baseAddress.flatMap { strdup($0) } }
        }
        argv.append(nil)
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        let names = added.map { "\($0.0)=" }
        while let entry = next.pointee {
            if !names.contains(where: { strncmp(entry, $0, $0.utf8.count) == 0 }) { variables.append(strdup(entry)) }
            next += 1
        }
        for (name, value) in added {
            let bytes = PathText.cString("\(name)=\(value)")
            variables.append(bytes.withUnsafeBufferPointer { $0.baseAddress.flatMap { strdup($0) } })
        }
        variables.append(nil)
        defer { for text in argv + variables { free(text) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, "setsid", &actions, &attributes, argv, variables)
        guard result == 0 else {
            close(pipe.0)
            throw .notStarted("setsid can't be run: \(Errno(rawValue: result))")
        }
        // It ends as soon as it has forked. A program that waits for all its children may have been quicker.
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        output = pipe.0
    }

    /// `$FRAMESHARE_COMMAND`, this very program where it is the command, or `frameshare` on the path.
    private static func program() throws(WishError) -> String {
        if let given = getenv("FRAMESHARE_COMMAND"), given.pointee != 0 {
            let path = PathText.text(cString: given)
            guard access(given, X_OK) == 0 else {
                throw .noConverter("FRAMESHARE_COMMAND is \(path), which can't be run: \(Errno(rawValue: errno))")
            }
            return path
        }
        var room = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &room, room.count - 1)
        if length > 0 {
            let path = PathText.text(cString: room)
            if path.hasSuffix("/frameshare") { return path }
        }
        for folder in (getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin").split(separator: ":") {
            let path = "\(folder)/frameshare"
            if access(path, X_OK) == 0 { return path }
        }
        throw .noConverter(
            "the command 'frameshare' is not on the PATH, and converts what no stream of a channel is; install it, or name"
                + " it in FRAMESHARE_COMMAND"
        )
    }

    /// Waits for the word that its channel is there.
    /// - Throws: `notStarted` with what it said instead
    func waitUntilReady(atMost time: Duration) throws(WishError) {
        defer { close(output) }
        let deadline = Deadline(after: time)
        var said: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 4096)
        while said.count < 65_536 {
            var poll = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let ready = Glibc.poll(&poll, 1, Int32(clamping: deadline.remaining(atMost: 100_000_000) / 1_000_000 + 1))
            if ready < 0 { fs_note_signal() }
            if deadline.hasPassed { throw .notStarted("it said nothing in \(time)") }
            guard ready > 0 else { continue }
            let count = read(output, &room, room.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            said += room[..<count]
            if said.starts(with: Array("ready\n".utf8)) { return }
        }
        var text = String(decoding: said, as: UTF8.self)
        while text.last == "\n" { text.removeLast() }
        if text.hasPrefix("frameshare: ") { text.removeFirst("frameshare: ".count) }
        throw .notStarted(text.isEmpty ? "it ended without a word" : text)
    }
}
