internal import CLinuxMedia
internal import Synchronization

/// Closures for one thread, in order.
final class ClosureQueue: Sendable {
    private struct State {
        var work: [@Sendable () -> Void] = []
        var stopped = false
    }
    private let state = Mutex(State())
    // The word that the thread sleeps on; bumped after each change of `state`. In memory of its own, since a futex
    // needs a stable address and an Atomic in a class gives no pointer to it.
    private let word: FutexWord = FutexWord()

    /// Queues a closure; false once the queue has been stopped.
    func submit(_ body: @escaping @Sendable () -> Void) -> Bool {
        let accepted = state.withLock { state in
            if !state.stopped { state.work.append(body) }
            return !state.stopped
        }
        word.bump()
        return accepted
    }

    /// Lets the thread end once it has run what was queued.
    func stop() {
        state.withLock { $0.stopped = true }
        word.bump()
    }

    /// The thread's loop.
    func run() {
        while true {
            let seen = word.value
            let (next, stopped): ((@Sendable () -> Void)?, Bool) = state.withLock { state in
                (state.work.isEmpty ? nil : state.work.removeFirst(), state.stopped)
            }
            if let next {
                next()
            } else if stopped {
                return
            } else {
                word.wait(while: seen)
            }
        }
    }
}

/// A futex word of this process.
final class FutexWord: @unchecked Sendable {  // a pointer to one atomic, freed with the object
    private let pointer: UnsafeMutablePointer<Atomic<UInt32>>

    init() {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: Atomic<UInt32>(0))
    }

    deinit {
        pointer.deinitialize(count: 1)
        pointer.deallocate()
    }

    var value: UInt32 { pointer.pointee.load(ordering: .acquiring) }

    /// Changes the word and wakes whoever sleeps on it.
    func bump() {
        pointer.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
        _ = fs_futex_wake(UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt32.self), Int32.max)
    }

    /// Sleeps until the word is no longer `seen`, or for so long; below 0: for as long as it takes.
    func wait(while seen: UInt32, nanoseconds: Int64 = -1) {
        _ = fs_futex_wait(UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt32.self), seen, nanoseconds)
    }
}
