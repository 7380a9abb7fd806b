package import CLinuxMedia
package import Glibc
internal import SystemPackage

/// A thread of the library's own: blocking work never goes onto Swift's cooperative pool.
package enum BackgroundThread {
    /// Starts a detached thread named `name` (at most 15 bytes are kept), with all signals blocked, so that a
    /// program's handlers run on its own threads.
    package static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(ChannelError) {
        pthread_detach(try startJoinable(name: name, body))
    }

    /// As ``start(name:_:)``, for who joins the thread.
    package static func startJoinable(
        name: String,
        _ body: @escaping @Sendable () -> Void
    ) throws(ChannelError) -> pthread_t {
        final class Box: Sendable {
            let name: String
            let body: @Sendable () -> Void
            init(name: String, body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
        }
        let box = Unmanaged.passRetained(Box(name: name, body: body))
        var everything = sigset_t()
        var before = sigset_t()
        sigfillset(&everything)
        pthread_sigmask(SIG_BLOCK, &everything, &before)
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                fs_name_thread(String(box.name.prefix(15)))
                box.body()
                return nil
            },
            box.toOpaque()
        )
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard result == 0 else {
            box.release()
            throw .system(call: "pthread_create", Errno(rawValue: result))
        }
        return thread
    }

    /// The calling thread sleeps, for less than a second.
    package static func pause(nanoseconds: Int64) {
        var time = timespec(tv_sec: 0, tv_nsec: Int(min(max(0, nanoseconds), 999_999_999)))
        if nanosleep(&time, nil) != 0 { fs_note_signal() }
    }
}
