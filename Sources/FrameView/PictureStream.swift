#if View
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// Live pictures for one viewer, as `multipart/x-mixed-replace`: what every browser shows in an `<img>`.
struct PictureStream: Sendable {
    static let type = "multipart/x-mixed-replace; boundary=frameshare"
    private static let boundary = "\r\n--frameshare\r\n"

    let feed: PictureFeed
    let feeds: PictureFeeds
    let framesPerSecond: Int

    func response(over channel: any Channel) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: Self.type],
            body: .init { writer in
                defer { feeds.release() }
                try await send(channel, &writer)
                try await writer.finish(nil)
            }
        )
    }

    @concurrent
    private func send(_ channel: any Channel, _ writer: inout any ResponseBodyWriter) async throws {
        let viewer = feed.join(framesPerSecond: framesPerSecond)
        defer { feed.leave(viewer) }
        try await writer.write(ByteBuffer(string: "--frameshare\r\n"))
        var last: Picture?
        var due = ContinuousClock.now
        let interval = Duration.nanoseconds(1_000_000_000 / Int64(framesPerSecond))
        while channel.isActive, !Task.isCancelled, !viewer.pictures.isClosed {
            // Without a signal the last picture goes out anew now and then: a viewer who has gone is noticed by it.
            guard let picture = await viewer.pictures.take(within: .seconds(3)) ?? last else { continue }
            let isNew = picture.sequence != last?.sequence || last == nil
            if isNew {
                guard ContinuousClock.now >= due - interval / 4 else { continue }
                due = max(due + interval, .now)
            }
            last = picture
            let deadline = WriteDeadline.begin(channel)
            defer { deadline.cancel() }
            try await writer.write(Self.part(picture))
            if isNew { feed.countSent() }
        }
    }

    /// Ends with the next boundary: a browser shows a picture when it sees that it is whole.
    private static func part(_ picture: Picture) -> ByteBuffer {
        let head = """
            Content-Type: image/jpeg\r\nContent-Length: \(picture.jpeg.readableBytes)\r\n\
            X-Sequence: \(picture.sequence)\r\nX-Timestamp: \(picture.timestamp)\r\n\r\n
            """
        var part = ByteBuffer()
        part.reserveCapacity(head.utf8.count + picture.jpeg.readableBytes + boundary.utf8.count)
        part.writeString(head)
        part.writeImmutableBuffer(picture.jpeg)
        part.writeString(boundary)
        return part
    }
}

/// A viewer that takes nothing for long is let go: it would keep its place for ever.
enum WriteDeadline {
    private static let limit = TimeAmount.seconds(20)

    /// Begins; cancel it when the viewer has taken what was written.
    static func begin(_ channel: any Channel) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    }
}
#endif
