internal import CLinuxMedia
internal import FrameShare
internal import FrameShareCHeader
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// A copy stage as the C side holds it: what it does, and how it ended.
final class CopyRun: Sendable {
    private struct State {
        var isStarted = false
        var isOver = false
        var failure: Failure?
        var isClosed = false
    }

    let stage: CopyStage
    private let state = Mutex(State())
    /// An eventfd, readable for ever once the stage has ended, or was closed.
    let ended: Int32

    init(_ stage: CopyStage) throws(Failure) {
        self.stage = stage
        ended = fs_eventfd(0)
        guard ended >= 0 else {
            guard ended == -EMFILE || ended == -ENFILE else {
                throw Failure(ChannelError.system(call: "eventfd", Errno(rawValue: -ended)))
            }
            throw Failure(ChannelError.outOfDescriptors)
        }
    }

    deinit { if ended >= 0 { Glibc.close(ended) } }

    /// Takes the memory, offers the channel of the copies, and copies on a thread of its own.
    func start(as name: String) throws(Failure) {
        let isFirst = state.withLock { state in
            defer { state.isStarted = true }
            return !state.isStarted
        }
        guard isFirst else { throw .invalid("this copy stage was started before; open another one") }
        do throws(Failure) {
            try translatingCopies { () throws(CopyError) in
                let publisher = try stage.open(as: name)
                try stage.start(on: publisher) { [self] error in end(error.map { Failure($0) }) }
            }
        } catch {
            state.withLock { $0.isStarted = false }
            throw error
        }
    }

    private func end(_ failure: Failure?) {
        state.withLock { ($0.isOver, $0.failure) = (true, failure) }
        note()
    }

    private func note() {
        var one: UInt64 = 1
        _ = write(ended, &one, 8)
    }

    /// Waits until it has ended.
    /// - Throws: what ended it, if that was not in order
    func wait(_ timeout: Duration?) throws(Failure) {
        let clock = ContinuousClock()
        let deadline = timeout.map { clock.now + min($0, .seconds(1 << 30)) }
        while true {
            let now = state.withLock { $0 }
            if now.isOver {
                if let failure = now.failure { throw failure }
                return
            }
            if now.isClosed { throw Failure(ChannelError.closed) }
            guard now.isStarted else { throw .invalid("this copy stage was not started") }
            var pause: Int32 = -1
            if let deadline {
                let left = deadline - clock.now
                guard left > .zero else {
                    throw Failure(
                        FRAMESHARE_ERROR_TIMED_OUT,
                        "the copies of \(stage.channel) go on after the given time"
                    )
                }
                pause = Int32(min(left / .milliseconds(1), 3_600_000).rounded(.up))
            }
            var entry = pollfd(fd: ended, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, pause)
        }
    }

    /// Stops the stage; who waits is told when it has ended. Returns when the channel of the copies is closed.
    func close() {
        stage.stop()
        let isRunning = state.withLock { state in
            defer { state.isClosed = !state.isStarted }
            return state.isStarted
        }
        if isRunning { try? wait(nil) } else { note() }
    }
}
