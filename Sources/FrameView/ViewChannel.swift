#if View
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// A browser's connection: HTTP/1.1 as Hummingbird serves it, and HTTP/1.0, which proxies and small clients speak.
struct ViewChannel: ServerChildChannel {
    let http: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        http.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(RequestForm(), position: .after(decoder))
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async { await http.handle(value: value, logger: logger) }
}

/// Gives requests the one form that the routes know, and answers the form that was asked in.
private final class RequestForm: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private struct Form {
        /// HTTP/1.0: it can't read chunks, and its answer ends with the connection.
        var isOld = false
        /// The answer ends with its header (RFC 9110, 9.3.2). The encoder does not know of it, and would end the body.
        var isHead = false
    }

    /// Of the requests that are not answered yet, the oldest first: a client may send several ahead.
    private var forms = CircularBuffer<Form>()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        let isOld = head.version.major == 1 && head.version.minor == 0
        forms.append(Form(isOld: isOld, isHead: head.method == .HEAD))
        if isOld {
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            // HTTP/1.0 need not name a host. No browser is that old, and the check of names is for browsers.
            if !head.headers.contains(name: "Host") { head.headers.add(name: "Host", value: "localhost") }
        }
        // RFC 9112, 3.2.2: the name in an absolute address counts, and not the header's.
        if let authority = Self.authority(of: head.uri), head.headers["Host"].count <= 1 {
            head.headers.replaceOrAdd(name: "Host", value: authority)
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // What could not be read as a request is answered, too.
        let form = forms.first ?? Form()
        switch unwrapOutboundIn(data) {
        case .head(var head) where form.isOld:
            head.version = .http1_0
            head.headers.remove(name: "Transfer-Encoding")
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .head:
            context.write(data, promise: promise)
        case .body:
            context.write(form.isHead ? Self.nothing : data, promise: promise)
        case .end:
            if !forms.isEmpty { forms.removeFirst() }
            context.write(form.isHead ? Self.nothing : data, promise: promise)
        }
    }

    /// Bytes of which nothing is sent.
    private static var nothing: NIOAny { NIOAny(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer()))) }

    private static func authority(of uri: String) -> String? {
        guard !uri.hasPrefix("/"), let scheme = uri.firstRange(of: "://") else { return nil }
        return String(uri[scheme.upperBound...].prefix { !"/?#".contains($0) })
    }
}
#endif
