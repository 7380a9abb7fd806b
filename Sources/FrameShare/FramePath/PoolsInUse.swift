internal import Synchronization

/// The memories of all generations that somebody may still use. It keeps a reference to each, so that whoever else drops its
/// last one never unmaps a pool: that takes milliseconds for each 100 MB, and who drops it may be publishing, or hold a lock.
/// The control thread unmaps what nobody else refers to any more.
final class PoolsInUse: Sendable {
    private struct State {
        var memories: [Generation.Memory] = []
        var closed = false
    }
    private let state = Mutex(State())

    /// How often the control thread looks for memories that have gone while there are old ones, in ms. Most are told of.
    private static let interval: Int32 = 250

    func add(_ memory: Generation.Memory) { state.withLock { if !$0.closed { $0.memories.append(memory) } } }

    /// On the control thread: unmaps what is used no more.
    func unmapUnused() {
        var unused: [Generation.Memory] = []
        state.withLock { state in
            guard state.memories.count > 1 else { return }
            // One that has no other reference can't get one: only who has one can hand it on.
            for i in state.memories.indices.reversed() where isKnownUniquelyReferenced(&state.memories[i]) {
                unused.append(state.memories.remove(at: i))
            }
        }
        withExtendedLifetime(unused) {}
    }

    /// When the control thread is to look again, in ms; -1: not before it is told.
    var pause: Int32 { state.withLock { $0.memories.count > 1 } ? Self.interval : -1 }

    /// The control thread ends: from now on the last reference unmaps.
    func close() {
        var all: [Generation.Memory] = []
        state.withLock { state in
            state.closed = true
            swap(&all, &state.memories)
        }
        withExtendedLifetime(all) {}
    }
}
