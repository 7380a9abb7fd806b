import FrameCommand
import FrameShare
@preconcurrency import Glibc

/// A process that this one started and will end: another command of this very executable.
///
/// It is not started by swift-subprocess: a demo starts and ends its children by plain calls, one after the other, and they live
/// on between them. There a child lives within one async call.
///
/// It is asked to stop by the end of its standard input (`--stop-at-eof`), so it stops too when this process is killed.
final class ChildProcess {
    enum Exit: Equatable {
        case code(Int32)
        case signal(Int32)

        var isSuccess: Bool { self == .code(0) }

        var text: String {
            switch self {
            case .code(let code): "ended with exit code \(code)"
            case .signal(let number): "was ended by signal \(number)"
            }
        }
    }

    let name: String
    let pid: pid_t
    private var input: Int32
    private let errors: Int32
    private(set) var exit: Exit?
    private var errorBytes: [UInt8] = []

    /// Starts `frameshare ARGUMENTS`, with its output thrown away and its errors kept for ``errorText``.
    init(name: String, arguments: [String]) throws(CommandFailure) {
        self.name = name
        let (inputPipe, errorPipe) = (try Pipe(), try Pipe())
        defer {
            close(inputPipe.read)
            close(errorPipe.write)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, inputPipe.read, STDIN_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, errorPipe.write, STDERR_FILENO)

        // Its own process group: Ctrl-C reaches this process alone, which then ends its children in order.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var brokenPipe = sigset_t()
        sigemptyset(&brokenPipe)
        sigaddset(&brokenPipe, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &brokenPipe)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
        )

        var argv: [UnsafeMutablePointer<CChar>?] = (["frameshare"] + arguments).map { strdup(PathText.cString($0)) }
        argv.append(nil)
        defer { for argument in argv { free(argument) } }
        var started: pid_t = 0
        let failure = posix_spawn(&started, "/proc/self/exe", &actions, &attributes, argv, environ)
        guard failure == 0 else {
            close(inputPipe.write)
            close(errorPipe.read)
            throw CommandFailure("\(name) can't be started: \(String(cString: strerror(failure)))")
        }
        pid = started
        input = inputPipe.write
        errors = errorPipe.read
        _ = fcntl(errors, F_SETFL, O_NONBLOCK)
    }

    deinit {
        stop()
        close(errors)
    }

    /// Whether it still runs. Looks without waiting.
    var isRunning: Bool {
        collectErrors()
        guard exit == nil else { return false }
        var status: Int32 = 0
        let result = waitpid(pid, &status, WNOHANG)
        if result == pid { exit = Self.exit(status) }
        if result < 0, errno == ECHILD { exit = .code(-1) }
        return exit == nil
    }

    /// Asks it to stop, and sees that it does: by the end of its input, then SIGTERM, then SIGKILL.
    func stop() {
        requestStop()
        // The pid is ours until it has been waited for, so no signal can reach another process.
        if waitForExit(seconds: 3) { return }
        kill(pid, SIGTERM)
        if waitForExit(seconds: 3) { return }
        kill(pid, SIGKILL)
        _ = waitForExit(seconds: 10)
    }

    /// Ends its standard input.
    func requestStop() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// What it said on standard error.
    var errorText: String {
        collectErrors()
        var text = String(decoding: errorBytes, as: UTF8.self)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    private func waitForExit(seconds: Int) -> Bool {
        for _ in 0..<(seconds * 100) {
            if !isRunning { return true }
            usleep(10_000)
        }
        return !isRunning
    }

    private func collectErrors() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(errors, &buffer, buffer.count)
            guard count > 0 else { return }
            // Enough to know what went wrong, however much it says.
            if errorBytes.count < 65536 { errorBytes += buffer[..<count] }
        }
    }

    private static func exit(_ status: Int32) -> Exit {
        status & 0x7F == 0 ? .code(status >> 8 & 0xFF) : .signal(status & 0x7F)
    }
}
