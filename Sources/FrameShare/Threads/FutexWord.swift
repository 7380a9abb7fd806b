internal import CLinuxMedia
internal import Glibc
internal import Synchronization
internal import SystemPackage

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

/// Tells threads and event loops, which have no task to be resumed, that something has arrived.
final class ArrivalSignal: Sendable {
    private let word = FutexWord()
    /// An eventfd, made when an event loop asks for it; before that -1.
    private let event = Mutex<Int32>(-1)

    deinit { event.withLock { if $0 >= 0 { close($0) } } }

    /// Something has arrived: whoever looks after this finds it.
    func note() {
        word.bump()
        event.withLock { if $0 >= 0 { Self.write(to: $0) } }
    }

    /// Looks again and again, and sleeps between, until `look` finds something; nil once the deadline has passed.
    func wait<T>(until deadline: Deadline, _ look: () -> T?) -> T? {
        while true {
            let seen = word.value
            if let found = look() { return found }
            if deadline.hasPassed { return nil }
            word.wait(while: seen, nanoseconds: deadline.remaining(atMost: 1 << 40))
        }
    }

    /// The eventfd; readable at once if something is there already.
    func descriptor(isThere: () -> Bool) throws(ChannelError) -> Int32 {
        let number: Int32 = event.withLock { event in
            if event < 0 { event = fs_eventfd(0) }
            defer { if event < 0 { event = -1 } }
            return event
        }
        guard number >= 0 else {
            if number == -EMFILE || number == -ENFILE { throw .outOfDescriptors }
            throw .system(call: "eventfd", Errno(rawValue: -number))
        }
        // After it was made: what arrived before is found here, what arrives later is noted.
        if isThere() { Self.write(to: number) }
        return number
    }

    private static func write(to number: Int32) {
        var one: UInt64 = 1
        // Full is as good: it is readable.
        _ = Glibc.write(number, &one, 8)
    }
}
