public import FrameShare
internal import Synchronization

/// Takes every frame that a subscriber is given, keeps a copy of what it showed, and releases it at once.
///
/// ```swift
/// let recorder = FrameRecorder(try camera.subscribe(policy: .everyFrame))
/// for _ in 0..<10 { try await camera.send() }
/// camera.end()
/// #expect(try await recorder.end() == .ended)
/// #expect(recorder.frames.map(\.sequence) == Array(0..<10))
/// ```
public final class FrameRecorder: Sendable {
    /// A copy of a frame.
    public struct RecordedFrame: Sendable {
        public let sequence: UInt64
        public let number: UInt64
        public let timestamp: FrameTimestamp
        public let generation: UInt32
        public let flags: FrameFlags
        public let lost: FrameLoss
        public let metadata: Metadata
        /// The bytes of each stream's (first) buffer, by the stream's name; empty where they are not kept.
        public let bytes: [String: [UInt8]]
    }

    /// How a subscription came to its end.
    public enum End: Sendable, Equatable {
        /// The channel ended in order.
        case ended
        /// `next` threw this.
        case failed(ChannelError)
    }

    private struct State {
        var frames: [RecordedFrame] = []
        var end: End? = nil
    }

    private let subscriber: Subscriber
    private let state: Shared
    private let task: Task<Void, Never>

    private final class Shared: Sendable { let state = Mutex(State()) }

    /// Starts recording. Whoever else takes frames of the same subscriber takes them from the record.
    /// - Parameter keepsBytes: false for large images or long records: numbers and metadata only
    public init(_ subscriber: Subscriber, keepsBytes: Bool = true) {
        self.subscriber = subscriber
        let state = Shared()
        self.state = state
        task = Task.detached {
            let end = await Self.record(subscriber, keepsBytes, state)
            state.state.withLock { $0.end = end }
        }
    }

    deinit { task.cancel() }

    private static func record(_ subscriber: Subscriber, _ keepsBytes: Bool, _ shared: Shared) async -> End {
        do throws(ChannelError) {
            while let frame = try await subscriber.next() {
                let copy = try RecordedFrame(copying: frame, keepsBytes: keepsBytes)
                // Before it is told: who has seen the record finds the slot free.
                frame.release()
                shared.state.withLock { $0.frames.append(copy) }
            }
            return .ended
        } catch {
            return .failed(error)
        }
    }

    /// What was recorded so far.
    public var frames: [RecordedFrame] { state.state.withLock { $0.frames } }

    /// Waits until so many frames are recorded, and returns all there are then.
    /// - Throws: `timedOut`; what ended the subscription, where it ended before (`closed`: in order)
    public func frames(
        atLeast count: Int,
        timeout: Duration = .seconds(60)
    ) async throws(ChannelError) -> [RecordedFrame] {
        let patience = Patience(timeout)
        while true {
            let (frames, end) = state.state.withLock { ($0.frames, $0.end) }
            if frames.count >= count { return frames }
            switch end {
            case .ended: throw .closed
            case .failed(let error): throw error
            case nil: try await patience.pause()
            }
        }
    }

    /// Waits for the end of the subscription, and says which it was.
    /// - Throws: `timedOut` while it goes on
    public func end(timeout: Duration = .seconds(60)) async throws(ChannelError) -> End {
        let patience = Patience(timeout)
        while true {
            if let end = state.state.withLock({ $0.end }) { return end }
            try await patience.pause()
        }
    }

    /// Stops recording and closes the subscriber.
    public func stop() {
        task.cancel()
        subscriber.close()
    }
}

extension FrameRecorder.RecordedFrame {
    init(copying frame: borrowing Frame, keepsBytes: Bool) throws(ChannelError) {
        sequence = frame.sequence
        number = frame.number
        timestamp = frame.timestamp
        generation = frame.generation
        flags = frame.flags
        lost = frame.lost
        metadata = try frame.metadata.copy()
        var copies: [String: [UInt8]] = [:]
        if keepsBytes {
            for stream in frame.streams {
                copies[stream.name] = frame[stream.name].withBytes { span in span.withUnsafeBytes { Array($0) } }
            }
        }
        bytes = copies
    }
}
