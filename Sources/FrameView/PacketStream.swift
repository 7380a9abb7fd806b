#if View
internal import FrameShare
internal import FrameSinks
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore
internal import NIOPosix

/// H.264 that somebody encodes, as fragmented MP4 for one viewer: nothing is encoded here. A viewer who is too slow loses
/// packets of its own, up to the next keyframe.
struct PacketStream: Sendable {
    let channel: String
    let stream: String
    let directory: ChannelDirectory
    let showsDamaged: Bool
    let place: PictureFeeds.Place

    #if FFmpeg
    static let type = "video/mp4"

    func response(over connection: any Channel) throws(Refusal) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: Self.type],
            body: .init { writer in
                try await send(connection, &writer)
                try await writer.finish(nil)
            }
        )
    }

    @concurrent
    private func send(_ connection: any Channel, _ writer: inout any ResponseBodyWriter) async throws {
        let subscriber = try await connect()
        defer { subscriber.close() }
        guard let layout = subscriber.streams.first?.layout,
            let video = VideoStream(layout, framesPerSecond: 30)
        else { return }
        let muxer = try FragmentMuxer(video)
        var continuity = PacketContinuity()
        while connection.isActive, !Task.isCancelled {
            let bytes: [UInt8]
            do throws(FrameShare.ChannelError) {
                // The publisher's end is this stream's; the page asks again.
                guard let frame = try await subscriber.next(timeout: .seconds(1)) else { return }
                guard showsDamaged || !frame.isDamaged else {
                    continuity.leftOut()
                    continue
                }
                // Another generation: the head that was sent does not fit it. The page asks again.
                if let now = frame.image(at: 0)?.layout,
                    (now.format, now.width, now.height) != (layout.format, layout.width, layout.height)
                {
                    return
                }
                if continuity.hasGap(before: frame) { muxer.noteLoss() }
                bytes = try Self.mux(frame, muxer, video.codec)
            } catch {
                guard error.isTimeout else { return }
                continue
            }
            guard !bytes.isEmpty else { continue }
            let deadline = WriteDeadline.begin(connection)
            defer { deadline.cancel() }
            try await writer.write(ByteBuffer(bytes: bytes))
        }
    }

    /// What can't be muxed is left out up to the next keyframe.
    private static func mux(
        _ frame: borrowing Frame,
        _ muxer: FragmentMuxer,
        _ codec: VideoCodec
    ) throws(FrameShare.ChannelError) -> [UInt8] {
        do throws(VideoError) {
            return try muxer.write(try VideoPacket(frame, codec))
        } catch {
            throw .sourceFailed("\(error)")
        }
    }

    private func connect() async throws -> Subscriber {
        try await NIOThreadPool.singleton.runIfActive { [channel, stream, directory] in
            // The first time this takes its time, which no packet is to wait for.
            try FragmentMuxer.prepare()
            var options = Subscriber.Options()
            options.directory = directory
            options.name = "view"
            options.connectTimeout = .seconds(2)
            let subscriber = try Subscriber(channel: channel, streams: [stream], policy: .queue(16), options: options)
            // So that the viewer sees a picture at once.
            subscriber.requestKeyframe()
            return subscriber
        }
    }
    #else
    static let type = "video/mp4"

    func response(over connection: any Channel) throws(Refusal) -> Response {
        throw Refusal(.notFound, "this build is without FFmpeg, which packets need")
    }
    #endif
}
#endif
