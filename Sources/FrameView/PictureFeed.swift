#if View
internal import FrameShare
internal import FrameSinks
internal import NIOCore
internal import NIOPosix
internal import PixelFormats
internal import Synchronization

/// A picture as it goes to viewers, encoded once for all of them.
struct Picture: Sendable {
    let jpeg: ByteBuffer
    let sequence: UInt64
    /// Of capture, in ns.
    let timestamp: Int64
    let pixelAspect: PixelAspect?

    /// Encodes a frame's only image, and lets the frame go.
    init?(_ frame: consuming Frame, quality: Int) throws(SinkError) {
        guard let jpeg = try Self.encode(frame, quality) else { return nil }
        pixelAspect = PixelAspect(frame.metadata)
        (self.jpeg, sequence, timestamp) = (ByteBuffer(bytes: jpeg), frame.sequence, frame.timestamp.nanoseconds)
    }

    private static func encode(_ frame: borrowing Frame, _ quality: Int) throws(SinkError) -> [UInt8]? {
        guard let image = frame.image(at: 0) else { return nil }
        return try Snapshot(.jpeg(quality: quality)).encode(image)
    }
}

/// The pictures of one stream, while somebody looks: takes the newest frame, encodes it, and hands it to every viewer.
///
/// A frame is held only while it is encoded. When the publisher goes, viewers stay, and the feed looks for its return.
final class PictureFeed: Sendable {
    /// Somebody who looks.
    struct Viewer: Sendable {
        let id: UInt64
        let pictures: Mailbox<Picture>
    }

    /// What was done so far.
    struct Figures: Sendable {
        var viewers = 0
        var encoded: UInt64 = 0
        var sent: UInt64 = 0
        /// Pictures that a viewer was too slow for.
        var dropped: UInt64 = 0
        /// Of the latest picture; nil: square.
        var pixelAspect: PixelAspect?
        /// From publication until the frame was here.
        var latency = LatencyBuckets()
    }

    private struct State {
        var viewers: [UInt64: (pictures: Mailbox<Picture>, framesPerSecond: Int)] = [:]
        var nextID: UInt64 = 0
        var task: Task<Void, Never>?
        /// Which task may still end itself: an earlier one that is late must not end its follower.
        var run = 0
        var figures = Figures()
        var isClosed = false
    }

    let channel: String
    let stream: String
    private let options: ViewServer.Options
    private let directory: ChannelDirectory
    private let state = Mutex(State())

    /// How long it goes on when nobody looks any more: a page that is loaded anew finds it running.
    private static let linger = Duration.seconds(3)

    init(channel: String, stream: String, options: ViewServer.Options, directory: ChannelDirectory) {
        (self.channel, self.stream, self.options, self.directory) = (channel, stream, options, directory)
    }

    var figures: Figures {
        state.withLock { state in
            var figures = state.figures
            figures.viewers = state.viewers.count
            return figures
        }
    }

    func join(framesPerSecond: Int) -> Viewer {
        let mailbox = Mailbox<Picture>()
        let id = state.withLock { state in
            state.nextID += 1
            state.viewers[state.nextID] = (mailbox, framesPerSecond)
            if state.isClosed { mailbox.close() }
            if state.task == nil, !state.isClosed {
                state.run += 1
                let run = state.run
                state.task = Task { [self] in await follow(run) }
            }
            return state.nextID
        }
        return Viewer(id: id, pictures: mailbox)
    }

    func leave(_ viewer: Viewer) { state.withLock { $0.viewers[viewer.id] = nil } }

    func countSent() { state.withLock { $0.figures.sent += 1 } }

    func close() {
        let viewers = state.withLock { state in
            state.isClosed = true
            state.task?.cancel()
            return state.viewers.values.map(\.pictures)
        }
        for viewer in viewers { viewer.close() }
    }

    /// Follows the channel until nobody has looked for a while.
    private func follow(_ run: Int) async {
        var lookedAt = ContinuousClock.now
        var due = ContinuousClock.now
        while !Task.isCancelled {
            let asked = wantedRate
            if let subscriber = try? await connect(atMost: asked) {
                while !Task.isCancelled {
                    let rate = wantedRate
                    if rate > 0 { lookedAt = .now }
                    // Other viewers want more, or fewer: ask anew.
                    guard rate == asked || rate == 0 else { break }
                    guard ContinuousClock.now - lookedAt < Self.linger else { break }
                    guard let goesOn = try? await step(subscriber, rate: max(1, rate), &due) else { break }
                    if !goesOn { break }
                }
                subscriber.close()
                if wantedRate > 0, wantedRate != asked { continue }
            }
            if wantedRate > 0 { lookedAt = .now }
            if ContinuousClock.now - lookedAt >= Self.linger, hasEnded(run) { return }
            try? await Task.sleep(for: .milliseconds(300))
        }
        _ = hasEnded(run)
    }

    /// The quickest viewer's pictures a second; 0: nobody looks.
    private var wantedRate: Int { state.withLock { $0.viewers.values.map(\.framesPerSecond).max() ?? 0 } }

    private func hasEnded(_ run: Int) -> Bool {
        state.withLock { state in
            guard state.run == run else { return true }
            guard state.viewers.isEmpty || Task.isCancelled else { return false }
            state.task = nil
            return true
        }
    }

    /// Connecting blocks; the pool's threads are there for that.
    /// - Parameter rate: pictures a second; 0: nobody looks, so any
    private func connect(atMost rate: Int) async throws -> Subscriber {
        var options = Subscriber.Options()
        options.directory = directory
        options.name = "view"
        options.atMost = rate > 0 ? Double(rate) : nil
        options.connectTimeout = .seconds(2)
        return try await NIOThreadPool.singleton.runIfActive { [channel, stream, options] in
            try Subscriber(channel: channel, streams: [stream], policy: .latest, options: options)
        }
    }

    /// Takes a frame, and encodes it if the time for a picture has come.
    /// - Returns: false when the channel has ended
    private func step(
        _ subscriber: Subscriber,
        rate: Int,
        _ due: inout ContinuousClock.Instant
    ) async throws -> Bool {
        let frame: Frame?
        do throws(FrameShare.ChannelError) {
            frame = try await subscriber.next(timeout: .seconds(1))
        } catch {
            if error.isTimeout { return true }
            throw error
        }
        guard let frame else { return false }
        guard options.showsDamaged || !frame.isDamaged else { return true }
        let age = FrameTimestamp.now().nanoseconds.subtractingClamped(frame.publishTimestamp.nanoseconds)
        state.withLock { $0.figures.latency.add(age) }
        let interval = Duration.nanoseconds(1_000_000_000 / Int64(rate))
        let now = ContinuousClock.now
        // A quarter early is in time: cameras are not that exact.
        guard now >= due - interval / 4 else { return true }
        due = max(due + interval, now)
        guard let picture = try Picture(frame, quality: options.quality) else { return false }
        give(picture)
        return true
    }

    private func give(_ picture: Picture) {
        let viewers = state.withLock { state in
            state.figures.encoded += 1
            state.figures.pixelAspect = picture.pixelAspect
            return state.viewers.values.map(\.pictures)
        }
        let replaced = viewers.count { !$0.put(picture) }
        if replaced > 0 { state.withLock { $0.figures.dropped += UInt64(replaced) } }
    }
}
#endif
