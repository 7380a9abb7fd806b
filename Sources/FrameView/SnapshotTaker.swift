#if View
internal import FrameShare
internal import FrameSinks
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Takes single pictures, a few at a time.
final class SnapshotTaker: Sendable {
    private let directory: ChannelDirectory
    private let showsDamaged: Bool
    private let atWork = Mutex(0)
    private static let most = 4

    init(directory: ChannelDirectory, showsDamaged: Bool) {
        (self.directory, self.showsDamaged) = (directory, showsDamaged)
    }

    func take(channel: String, stream: String, quality: Int) async throws(Refusal) -> Response {
        let mayWork = atWork.withLock { count in
            guard count < Self.most else { return false }
            count += 1
            return true
        }
        guard mayWork else { throw .tooManyViewers }
        defer { atWork.withLock { $0 -= 1 } }
        let picture: Picture?
        do {
            picture = try await NIOThreadPool.singleton.runIfActive { [self] in
                try self.picture(channel, stream, quality)
            }
        } catch {
            throw .noSignal
        }
        guard let picture else { throw .noSignal }
        var response = Response(
            status: .ok,
            headers: [.contentType: "image/jpeg"],
            body: .init(byteBuffer: picture.jpeg)
        )
        if let sequence = HTTPField.Name("X-Sequence"), let timestamp = HTTPField.Name("X-Timestamp") {
            response.headers[sequence] = "\(picture.sequence)"
            response.headers[timestamp] = "\(picture.timestamp)"
        }
        return response
    }

    /// The next whole frame's. Blocks.
    private func picture(_ channel: String, _ stream: String, _ quality: Int) throws -> Picture? {
        var options = Subscriber.Options()
        options.directory = directory
        options.name = "view snapshot"
        options.connectTimeout = .seconds(2)
        let subscriber = try Subscriber(channel: channel, streams: [stream], policy: .latest, options: options)
        defer { subscriber.close() }
        let deadline = ContinuousClock.now + .seconds(3)
        while let frame = try subscriber.nextBlocking(timeout: max(.zero, deadline - .now)) {
            if showsDamaged || !frame.isDamaged { return try Picture(frame, quality: quality) }
        }
        return nil
    }
}
#endif
