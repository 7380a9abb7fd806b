internal import Synchronization

/// Readers of packets that wait for a keyframe, for the encoder: it makes at most one every half second, however many ask and
/// how often.
final class KeyframeWishes: Sendable {
    private static let pause: Int64 = 500_000_000
    private let isAsked = Atomic(false)
    /// When one was given last, in ns; the encoder's alone.
    private let givenAt = Atomic(Int64.min)

    func ask() { isAsked.store(true, ordering: .releasing) }

    /// Whether the next frame is to be a keyframe for them. One that comes too soon after another stays asked for.
    func take() -> Bool {
        guard isAsked.load(ordering: .acquiring) else { return false }
        let (now, before) = (monotonicNow(), givenAt.load(ordering: .relaxed))
        guard before == .min || now - before >= Self.pause else { return false }
        isAsked.store(false, ordering: .relaxed)
        givenAt.store(now, ordering: .relaxed)
        return true
    }
}
