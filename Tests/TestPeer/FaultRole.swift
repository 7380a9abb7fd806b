internal import FaultInjector
internal import FrameShare
internal import Glibc
internal import Synchronization

/// Goes through a publisher's or subscriber's whole life again and again, each time with one system call made to fail, and
/// checks what comes of it: it carries on or throws an error, leaves no descriptor, mapping or file, and hangs nowhere.
///
/// Keys: `side` (`publish`, with a subscriber outside that reconnects; `subscribe`, with a publisher outside that
/// reconfigures again and again; `none`: only says what is tried), `all` (each call, not a choice of those that are made often).
struct FaultRole {
    /// A way for a call to fail that its manual page names.
    struct Fault {
        let function: Int32
        let number: Int32
        let error: Int32
    }

    /// For each function the errors that are tried. Of those that are counted only two are not tried: a FUTEX_WAKE fails
    /// for an address that is not mapped alone, and the write to an eventfd when it is full, and so readable, alone.
    static let errors: [(function: String, errors: [Int32])] = [
        ("accept4", [EMFILE, ECONNABORTED, EINTR]), ("access", [ENOENT]), ("bind", [EACCES, EADDRINUSE]),
        ("chmod", [EPERM]), ("chown", [EPERM]), ("close", [EINTR]), ("connect", [ECONNREFUSED, EAGAIN, EINTR]),
        ("epoll_create1", [EMFILE]), ("epoll_ctl", [ENOMEM, ENOSPC]), ("epoll_wait", [EINTR]),
        ("eventfd", [EMFILE, ENOMEM]), ("fallocate", [ENOSPC, EINTR, EOPNOTSUPP]), ("fcntl", [EPERM, EINVAL]),
        ("flock", [EINTR, ENOLCK]), ("fstat", [EIO]), ("fstatfs", [EIO]), ("ftruncate", [EINTR, EFBIG]),
        ("futex_wait", [EINTR, ENOSYS]), ("futex_waitv", [EINTR, ENOSYS]),
        ("getrlimit", [EPERM]), ("getsockopt", [ENOBUFS]), ("inotify_add_watch", [EACCES, ENOSPC]),
        ("inotify_init1", [EMFILE]), ("ioctl", [ENOMEM, EINTR]), ("listen", [EADDRINUSE]),
        ("lseek", [ESPIPE]), ("lstat", [EACCES]), ("madvise", [EINVAL, ENOMEM]),
        ("memfd_create", [EMFILE, ENOMEM, EINVAL]),
        ("mkdir", [EACCES]), ("mmap", [ENOMEM, EACCES]), ("nanosleep", [EINTR]), ("open", [EMFILE, EACCES]),
        ("opendir", [EMFILE, EACCES]), ("poll", [EINTR, ENOMEM]), ("pthread_create", [EAGAIN]),
        ("pwrite", [ENOSPC, EINTR]),
        ("read", [EAGAIN]),
        ("readdir", [EIO]), ("realpath", [EACCES]), ("recvmsg", [EINTR, ENOMEM, ECONNRESET]),
        ("rename", [EACCES, EIO]), ("rmdir", [EBUSY]),
        ("sendmsg", [EAGAIN, EPIPE, ETOOMANYREFS, ENOBUFS]), ("shutdown", [ENOTCONN]), ("socket", [EMFILE, ENOBUFS]),
        ("stat", [EACCES]), ("timerfd_create", [EMFILE]), ("timerfd_settime", [ECANCELED]), ("unlink", [EPERM]),
    ]

    private let arguments: PeerArguments
    private var tried = 0
    private var carriedOn = 0
    private var bad = 0

    static func run(_ arguments: PeerArguments) {
        var role = FaultRole(arguments: arguments)
        role.sweep()
    }

    private init(arguments: PeerArguments) { self.arguments = arguments }

    private mutating func sweep() {
        guard fault_functions() > 0 else {
            say("unsupported: a sanitizer stands in for the same functions")
            return
        }
        if arguments.text("side") == "none" {
            for item in Self.errors where !item.errors.isEmpty { say("tries \(item.function)") }
            return
        }
        _ = live(nil)  // what is made once and kept is made now
        let before = settledState("")
        let counts = (0..<fault_functions()).map { _ in Int32(0) }
        var most = counts
        for _ in 0..<3 {
            _ = live(nil)
            for function in 0..<fault_functions() {
                most[Int(function)] = max(most[Int(function)], fault_count(function))
            }
        }
        for function in 0..<fault_functions() {
            say("calls \(String(cString: fault_function(function))) \(most[Int(function)])")
        }
        for function in 0..<fault_functions() {
            let name = String(cString: fault_function(function))
            for error in Self.errors.first(where: { $0.function == name })?.errors ?? [] {
                for number in numbers(upTo: most[Int(function)]) {
                    attempt(Fault(function: function, number: number, error: error), name, before)
                }
            }
        }
        say("swept tried=\(tried) carriedOn=\(carriedOn) threw=\(tried - carriedOn) bad=\(bad)")
    }

    /// Each of the first calls, and some of many.
    private func numbers(upTo count: Int32) -> [Int32] {
        guard count > 0 else { return [] }
        if arguments.flag("all") { return Array(1...count) }
        let first = Array(1...min(count, 8))
        return first
            + (1...6).map { 8 + (count - 8) * $0 / 6 }.filter { $0 > 8 }.reduce(into: []) {
                if $0.last != $1 { $0.append($1) }
            }
    }

    private mutating func attempt(_ fault: Fault, _ name: String, _ before: String) {
        let what = "\(name) call=\(fault.number) errno=\(fault.error)"
        say("trying \(what)")
        let (failure, fired) = live(fault)
        let after = settledState(before)
        if after != before {
            bad += 1
            say("leak \(what): \(before) became \(after)")
        }
        checkFolder(what, name)
        guard fired else { return }
        tried += 1
        if failure == nil { carriedOn += 1 }
        say("outcome \(what) \(failure?.name ?? "carriedOn") \(failure.map { "\($0)" } ?? "")")
        switch failure {
        // A fault that makes one wait in vain.
        case .timedOut?,
            .handshakeTimeout? where name != "sendmsg":
            // (A monitor whose question does not go out says so in these words.)
            bad += 1
            say("hang \(what): \(failure.map { "\($0)" } ?? "")")
        default: break
        }
    }

    /// What is open and mapped, once that has stayed the same for a while, or is as expected: threads of the library's own
    /// end a moment after their publisher or subscriber.
    private func settledState(_ expected: String) -> String {
        var (state, steady) = (ProcessState.summary, 0)
        while steady < 250 && (state != expected || steady == 0) {
            usleep(1000)
            let now = ProcessState.summary
            steady = now == state ? steady + 1 : 0
            state = now
        }
        return state
    }

    /// Of a publisher that has ended, or never was, nothing is in the folder.
    private mutating func checkFolder(_ what: String, _ name: String) {
        guard arguments.text("side") == "publish" else { return }
        let path = arguments.folder + "/" + arguments.channel + ".sock"
        for file in [path, path + ".lock"] where access(file, F_OK) == 0 {
            // A file that can't be removed, or whose lock can't be had, or not be told from another's, stays: the next
            // publisher replaces it.
            if !["unlink", "flock", "fstat", "stat"].contains(name) {
                bad += 1
                say("debris \(what): \(file)")
            }
            unlink(file)
        }
        // The folder in which the socket was made.
        if access(path + ".new", F_OK) == 0, !["unlink", "rmdir"].contains(name) {
            bad += 1
            say("debris \(what): \(path).new")
        }
        unlink(path + ".new/s")
        rmdir(path + ".new")
    }

    /// One life, with a fault or without.
    private func live(_ fault: Fault?) -> (failure: ChannelError?, fired: Bool) {
        fault_begin(fault?.function ?? 0, fault?.number ?? 0, fault?.error ?? 0)
        do throws(ChannelError) {
            if arguments.text("side") == "publish" {
                try PublisherLife(arguments).live()
            } else {
                try SubscriberLife(arguments).live()
            }
            return (nil, fault_end() != 0)
        } catch {
            return (error, fault_end() != 0)
        }
    }
}

/// Waits on this thread for what comes of an async body.
func finish<Value: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () async throws(Failure) -> Value
) throws(Failure) -> Value {
    let outcome = Outcome<Value, Failure>()
    Task.detached {
        let result: Result<Value, Failure>
        do throws(Failure) {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        outcome.result.withLock { $0 = result }
    }
    while true {
        if let result = outcome.result.withLock({ $0 }) { return try result.get() }
        usleep(100)
    }
}

private final class Outcome<Value: Sendable, Failure: Error>: Sendable {
    let result = Mutex<Result<Value, Failure>?>(nil)
}
