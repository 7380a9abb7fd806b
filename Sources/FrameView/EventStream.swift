#if View
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// What `ChannelWatch` sees, as server-sent events, to one listener.
struct EventStream: Sendable {
    private let watch: ChannelWatch

    init(_ watch: ChannelWatch) { self.watch = watch }

    func response(over channel: any Channel) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/event-stream"],
            body: .init { writer in
                try await send(channel, &writer)
                try await writer.finish(nil)
            }
        )
    }

    @concurrent
    private func send(_ channel: any Channel, _ writer: inout any ResponseBodyWriter) async throws {
        let (id, reports) = watch.listen()
        defer { watch.stopListening(id) }
        try await writer.write(ByteBuffer(string: "retry: 1000\n\n"))
        var channels = ""
        while channel.isActive, !Task.isCancelled {
            var text = ": awake\n\n"
            if let report = await reports.take(within: .seconds(10)) {
                text = ""
                if report.channels != channels { text += Self.event("channels", report.channels) }
                channels = report.channels
                text += Self.event("statistics", report.statistics) + Self.event("viewers", report.viewers)
            }
            let deadline = WriteDeadline.begin(channel)
            defer { deadline.cancel() }
            try await writer.write(ByteBuffer(string: text))
        }
    }

    private static func event(_ name: String, _ data: String) -> String { "event: \(name)\ndata: \(data)\n\n" }
}
#endif
