#if View
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// Live pictures for one viewer, as `multipart/x-mixed-replace`: what every browser shows in an `<img>`.
struct PictureStream: Sendable {
    static let type = "multipart/x-mixed-replace; boundary=frameshare"
    private static let boundary = "\r\n--frameshare\r\n"

    let feed: PictureFeed
    let place: PictureFeeds.Place
    let framesPerSecond: Int
    /// Each picture is followed at once by the next one's header, which then can't say more than its type. Browsers based on
    /// Chromium show a picture only when they see that header: without it they are a frame behind.
    let isHeaderAhead: Bool

    private static let nextHeader = "Content-Type: image/jpeg\r\n\r\n"

    func response(over channel: any Channel) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: Self.type],
            body: .init { writer in
                try await send(channel, &writer)
                try await writer.finish(nil)
            }
        )
    }

    @concurrent
    private func send(_ channel: any Channel, _ writer: inout any ResponseBodyWriter) async throws {
        // Else the kernel keeps seconds of pictures for a slow viewer, all of them old by then.
        try await channel.setOption(.socketOption(.so_sndbuf), value: 256 * 1024).get()
        let viewer = feed.join(framesPerSecond: framesPerSecond)
        defer { feed.leave(viewer) }
        try await writer.write(ByteBuffer(string: "--frameshare\r\n" + (isHeaderAhead ? Self.nextHeader : "")))
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
            try await writer.write(part(picture))
            if isNew { feed.countSent() }
        }
    }

    /// Ends with the next boundary: a browser shows a picture when it sees that it is whole.
    private func part(_ picture: Picture) -> ByteBuffer {
        let head = """
            Content-Type: image/jpeg\r\nContent-Length: \(picture.jpeg.readableBytes)\r\n\
            X-Sequence: \(picture.sequence)\r\nX-Timestamp: \(picture.timestamp)\r\n\r\n
            """
        let (before, after) = isHeaderAhead ? ("", Self.boundary + Self.nextHeader) : (head, Self.boundary)
        var part = ByteBuffer()
        part.reserveCapacity(before.utf8.count + picture.jpeg.readableBytes + after.utf8.count)
        part.writeString(before)
        part.writeImmutableBuffer(picture.jpeg)
        part.writeString(after)
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
