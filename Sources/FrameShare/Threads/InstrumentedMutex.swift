#if THREAD_SANITIZER
internal import Glibc

/// A lock that the thread sanitizer understands. It can't see into the slow path of the standard library's `Mutex`, whose
/// code is not instrumented, and would report every contended lock as a race. Only in builds with
/// `-Xswiftc -DTHREAD_SANITIZER`, where it takes the place of `Synchronization.Mutex` in this module.
// @unchecked: the value is touched under the lock alone.
final class Mutex<Value: ~Copyable>: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    // In memory of its own: an empty value would share its address with this object, whose reading is no race.
    private let value: UnsafeMutablePointer<Value>

    /// Where tests see both locks, the compiler takes this for the more fitting one.
    convenience init(_ value: Value) where Value: Copyable { self.init(holding: value) }

    convenience init(_ value: consuming sending Value) { self.init(holding: value) }

    private init(holding value: consuming Value) {
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
        value.deinitialize(count: 1)
        value.deallocate()
    }

    func withLock<Result: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> Result) throws(E) -> Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value.pointee)
    }
}
#endif
