internal import FrameShare
internal import Glibc
internal import Synchronization

/// Hears Ctrl-C, SIGTERM, SIGHUP, and (if asked) the end of standard input, so that a command can end in order.
///
/// The signals are blocked in every thread of ours and taken by one thread of its own, where any code may run. A library's thread
/// may let them in all the same: swift-subprocess's does while it waits (`epoll_pwait`). So there is a signal handler, which
/// passes the signal on to that thread and does nothing else. A second signal while the command is still ending leaves at once.
package final class StopRequest: Sendable {
    package enum Reason: Sendable {
        /// Ctrl-C.
        case interrupted
        /// SIGTERM or SIGHUP: a service manager, a closed terminal.
        case terminated
        /// Standard input has ended: whoever started the command is gone or has closed it.
        case inputEnded
        /// Whoever read the output has had enough.
        case outputClosed
    }

    private struct State {
        var reason: Reason?
        var actions: [@Sendable () -> Void] = []
        /// See ``leavingAtOnce(_:)``.
        var leavesAtOnce = false
    }

    private let state = Mutex(State())
    /// Its write end is closed to stop: the read end then polls as hung up, for as many as look.
    private let wakePipe: Pipe

    /// Begins to listen. Call it before any other thread is made, on the main thread.
    /// - Parameter input: also stop when standard input ends
    package init(atEndOfInput input: Bool = false) throws(CommandFailure) {
        wakePipe = try Pipe()

        // A reader of our output that goes away is told by EPIPE, so that the channel can be closed in order.
        signal(SIGPIPE, SIG_IGN)
        var signals = sigset_t()
        sigemptyset(&signals)
        let numbers = [SIGINT, SIGTERM, SIGHUP].filter { !Self.isIgnored($0) }
        for number in numbers { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        try Self.onThread { [self, signals] in
            var (signals, number) = (signals, Int32(0))
            listeningThread.store(UInt(pthread_self()), ordering: .sequentiallyConsistent)
            for number in numbers { Self.passOn(number) }
            while true {
                guard sigwait(&signals, &number) == 0 else { continue }
                let isFirst = stop(number == SIGINT ? .interrupted : .terminated)
                // Twice means now.
                if !isFirst { Self.leave(.interrupted) }
            }
        }
        guard input else { return }
        try Self.onThread { [self] in
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { break }
            }
            _ = stop(.inputEnded)
        }
    }

    /// Why the command is to stop; nil: it isn't.
    package var reason: Reason? { state.withLock(\.reason) }

    package var isStopped: Bool { reason != nil }

    /// Polls readable (hung up) once the command is to stop.
    package var descriptor: Int32 { wakePipe.read }

    /// Runs `action` when the command is to stop, on another thread; at once if it is already.
    package func whenStopped(_ action: @escaping @Sendable () -> Void) {
        let isStopped = state.withLock { state in
            if state.reason == nil { state.actions.append(action) }
            return state.reason != nil
        }
        if isStopped { action() }
    }

    /// Runs what can't be woken, such as connecting to a publisher that does not answer. A stop meanwhile leaves at once:
    /// it is for moments at which the command has nothing to tidy up.
    package func leavingAtOnce<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
        let reason = state.withLock { state in
            state.leavesAtOnce = true
            return state.reason
        }
        if let reason { Self.leave(reason) }
        defer { state.withLock { $0.leavesAtOnce = false } }
        return try body()
    }

    private static func leave(_ reason: Reason) -> Never {
        // The cursor may be hidden by a live table.
        if Terminal.output.canRedraw { Terminal.output.writeAsIs("\u{1B}[?25h\n") }
        _exit(reason == .interrupted ? CommandFailure.Code.interrupted.rawValue : 0)
    }

    /// Sleeps, at most until asked to stop.
    /// - Returns: whether the command is to go on
    @discardableResult
    package func sleep(nanoseconds: Int64) -> Bool {
        if nanoseconds < 2_000_000 {
            var time = timespec(tv_sec: 0, tv_nsec: Int(max(0, nanoseconds)))
            nanosleep(&time, nil)
            return !isStopped
        }
        var entry = pollfd(fd: wakePipe.read, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(clamping: nanoseconds / 1_000_000)
        while poll(&entry, 1, milliseconds) < 0, errno == EINTR {}
        return !isStopped
    }

    /// Runs `action` on a thread of its own after a while, unless the command is stopped before.
    package func after(_ duration: Duration, _ action: @escaping @Sendable () -> Void) throws(CommandFailure) {
        try Self.onThread { [self] in
            if sleep(nanoseconds: duration.nanoseconds) { action() }
        }
    }

    /// Ends a command whose output is its purpose, once nobody reads it.
    package func outputClosed() { _ = stop(.outputClosed) }

    /// After a command has tidied up: leaves with 130 when it was Ctrl-C that ended it.
    package func throwIfInterrupted() throws(InterruptedByUser) {
        if reason == .interrupted { throw InterruptedByUser() }
    }

    private func stop(_ reason: Reason) -> Bool {
        let actions: [@Sendable () -> Void]? = state.withLock { state in
            guard state.reason == nil else { return nil }
            state.reason = reason
            if state.leavesAtOnce { Self.leave(reason) }
            defer { state.actions = [] }
            return state.actions
        }
        guard let actions else { return false }
        close(wakePipe.write)
        for action in actions { action() }
        return true
    }

    /// Has a signal that reaches another thread passed on to the one that listens.
    private static func passOn(_ number: Int32) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            // Safe in a signal handler: an atomic load, and pthread_kill(3).
            pthread_kill(pthread_t(listeningThread.load(ordering: .relaxed)), number)
        }
        action.sa_flags = SA_RESTART
        sigaction(number, &action, nil)
    }

    /// `nohup` and shells without job control start programs with a signal ignored: it stays so.
    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard number != SIGTERM, sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private static func onThread(_ body: @escaping @Sendable () -> Void) throws(CommandFailure) {
        do throws(ChannelError) {
            try BackgroundThread.start(name: "fs-stop", body)
        } catch {
            throw CommandFailure("no thread can be started to end in order: \(error)")
        }
    }
}

/// The thread that listens for signals, for the signal handler: set before there is a handler.
private let listeningThread = Atomic<UInt>(0)

/// Ctrl-C ended the command, which has tidied up: nothing is left to say.
package struct InterruptedByUser: Error {
    package init() {}
}
