import FrameCommand
import FrameShare
import Glibc

/// A reader of a benchmark: this very executable, started anew, whose one line of output is kept.
///
/// It dies with this process: by its channel's end, or since it asked for that (`hand_over_attach`). It is not started by
/// swift-subprocess, which hands no descriptors on but the three standard ones.
final class BenchChild {
    private let pid: pid_t
    private let output: Int32
    private var text: [UInt8] = []
    private var isDone = false

    /// - Parameter inherited: descriptors that it gets as 3, 4, ...; negative ones are left out
    init(_ arguments: [String], inherited: [Int32] = []) throws(CommandFailure) {
        let pipe = try Pipe()
        defer { close(pipe.write) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // What it prints is a report or, from one that failed, the reason.
        posix_spawn_file_actions_adddup2(&actions, pipe.write, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, pipe.write, STDERR_FILENO)
        // Through numbers that none of them has, so that none overwrites another.
        let wanted = inherited.enumerated().filter { $0.element >= 0 }
        for (i, descriptor) in wanted { posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(100 + i)) }
        for (i, _) in wanted {
            posix_spawn_file_actions_adddup2(&actions, Int32(100 + i), Int32(3 + i))
            posix_spawn_file_actions_addclose(&actions, Int32(100 + i))
        }
        // Ctrl-C reaches this process alone, which then ends its readers in order.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var argv: [UnsafeMutablePointer<CChar>?] = (["frameshare"] + arguments).map { strdup(PathText.cString($0)) }
        argv.append(nil)
        defer { for argument in argv { free(argument) } }
        var started: pid_t = 0
        let failure = posix_spawn(&started, "/proc/self/exe", &actions, &attributes, argv, environ)
        guard failure == 0 else {
            close(pipe.read)
            throw CommandFailure("a reader can't be started: \(String(cString: strerror(failure)))")
        }
        pid = started
        output = pipe.read
    }

    deinit {
        if !isDone {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        }
        close(output)
    }

    /// Waits for its end, at most so long, and returns what it printed.
    func finish(within limit: Duration) throws(CommandFailure) -> String {
        let due = ProcessUsage.now + limit.nanoseconds
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let left = max(0, due - ProcessUsage.now) / 1_000_000
            if poll(&entry, 1, Int32(clamping: left)) == 0 {
                throw CommandFailure("a reader did not end within \(limit)")
            }
            let count = read(output, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            text += buffer[..<count]
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        isDone = true
        let said = String(decoding: text, as: UTF8.self)
        guard status == 0 else {
            let reason = said.split(separator: "\n").joined(separator: " ")
            throw CommandFailure("a reader failed: \(reason.isEmpty ? "wait status \(status)" : reason)")
        }
        return said
    }
}
