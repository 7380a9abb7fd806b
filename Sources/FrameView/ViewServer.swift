public import FrameShare
public import Logging

#if View
internal import HummingbirdCore
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization
#endif

/// Live pictures and figures of a machine's channels for browsers: `frameshare view`.
///
/// A small HTTP server. It subscribes to a stream while somebody looks at it, encodes each picture once for all who do,
/// and holds no camera slot while it sends: a slow browser loses its own pictures. A publisher that goes shows as "no
/// signal", and its return heals the page.
///
/// Built with the package trait `View`; without it ``run(onRunning:)`` throws ``ViewError/notInThisBuild``.
public final class ViewServer: Sendable {
    /// What to serve, to whom.
    public struct Options: Sendable {
        /// The address to listen on: a name or an IP address of this machine. Anything but loopback needs a ``token``.
        public var host = "127.0.0.1"
        /// 0: any that is free.
        public var port = 8080
        /// The channels to show; empty: all that there are.
        public var channels: [String] = []
        /// What a client must know, as a password, bearer token or `?token=`; nil: nothing.
        public var token: String?
        /// Names besides IP addresses, `localhost` and this machine's own (`HOST`, `HOST.local`, its full name) by which browsers may reach this machine. Any other is turned away:
        /// a web page could otherwise point a name of its own here and read along.
        public var names: [String] = []
        /// The path that every address here begins with, such as `/cameras`, for a proxy that passes on the whole path.
        /// Empty: none. A proxy that takes the path off needs nothing: the page's addresses are relative.
        public var basePath = ""
        /// The most pictures a second of a stream, 1 to 120.
        public var framesPerSecond = 30
        /// JPEG quality, 1 to 100.
        public var quality = 80
        /// Whether damaged frames are shown too.
        public var showsDamaged = false
        /// The most viewers of pictures at a time.
        public var maximumViewers = 64
        /// Where channels are; nil: ``ChannelDirectory/standard()``.
        public var directory: ChannelDirectory?
        /// Where it tells what goes wrong.
        public var logger: Logger?

        public init() {}
    }

    public let options: Options
    #if View
    private struct State {
        var task: Task<Void, any Error>?
        /// Also before it runs.
        var isStopped = false
    }
    private let state = Mutex(State())
    #endif

    /// - Throws: ``ViewError/needsToken(host:)``, ``ViewError/badOption(_:)``, ``ViewError/notInThisBuild``.
    public init(options: Options) throws(ViewError) {
        #if View
        guard (0...65535).contains(options.port) else { throw .badOption("port \(options.port): 0 to 65535") }
        guard (1...120).contains(options.framesPerSecond) else {
            throw .badOption("\(options.framesPerSecond) pictures a second: 1 to 120")
        }
        guard (1...100).contains(options.quality) else { throw .badOption("quality \(options.quality): 1 to 100") }
        if let token = options.token {
            guard token.utf8.count >= 8, token.utf8.allSatisfy(Self.isTokenByte) else {
                throw .badOption("the token: at least 8 letters, digits, '-', '.', '_' or '~'")
            }
        } else if !Self.isLoopback(options.host) {
            throw .needsToken(host: options.host)
        }
        var options = options
        while options.basePath.hasSuffix("/") { options.basePath.removeLast() }
        guard options.basePath.isEmpty || options.basePath.hasPrefix("/"),
            options.basePath.utf8.allSatisfy({ Self.isTokenByte($0) || $0 == UInt8(ascii: "/") })
        else {
            throw .badOption("base path \(options.basePath): '/' and then letters, digits, '-', '.', '_', '~' and '/'")
        }
        for channel in options.channels {
            do throws(FrameShare.ChannelError) { try ChannelName.check(channel) } catch { throw .channel(error) }
        }
        self.options = options
        #else
        throw .notInThisBuild
        #endif
    }

    /// Whether an address is this machine's own, which nobody else reaches.
    public static func isLoopback(_ host: String) -> Bool {
        let host = host.lowercased()
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return host == "localhost" || host == "::1" || (parts.count == 4 && parts[0] == 127 && !parts.contains(nil))
    }

    /// What stands for itself in an address as well as in a cookie: RFC 3986's unreserved characters.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Serves until ``stop()`` or the task's end.
    /// - Parameter onRunning: is told the port as soon as browsers can connect
    public func run(onRunning: @escaping @Sendable (Int) -> Void) async throws(ViewError) {
        #if View
        let directory: ChannelDirectory
        do throws(FrameShare.ChannelError) {
            if let given = options.directory { directory = given } else { directory = try ChannelDirectory.standard() }
        } catch {
            throw .channel(error)
        }
        let task = Task { [options] in
            try await Self.serve(options, directory, onRunning)
        }
        let isStopped = state.withLock { state in
            state.task = task
            return state.isStopped
        }
        if isStopped { task.cancel() }
        let result = await withTaskCancellationHandler {
            await task.result
        } onCancel: {
            task.cancel()
        }
        switch result {
        case .success: return
        case .failure(is CancellationError): return
        case .failure(let error):
            let reason = await ListenFailure.reason(error, host: options.host, port: options.port)
            throw .cannotListen(host: options.host, port: options.port, reason)
        }
        #endif
    }

    /// Ends ``run(onRunning:)``: all connections are closed. From any thread.
    public func stop() {
        #if View
        state.withLock { state in
            state.isStopped = true
            state.task?.cancel()
        }
        #endif
    }

    #if View
    private static func serve(
        _ options: Options,
        _ directory: ChannelDirectory,
        _ onRunning: @escaping @Sendable (Int) -> Void
    ) async throws {
        let logger = options.logger ?? Logger(label: "frameshare.view") { _ in SwiftLogNoOpLogHandler() }
        let feeds = PictureFeeds(options, directory)
        let watch = ChannelWatch(options.channels, directory, feeds)
        let names = MachineNames(options.names)
        let routes = Routes(options: options, names: names, directory: directory, watch: watch, feeds: feeds)
        let connections = OpenConnections()
        // One thread sends to everyone; encoding has Swift's own.
        NIOSingletons.groupLoopCountSuggestion = 1
        let loop = MultiThreadedEventLoopGroup.singleton
        // Lines and headers longer than these are answered 400; a connection that says nothing for so long is closed.
        let http = HTTP1Channel.Configuration(
            idleTimeout: .seconds(15),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 8 * 1024,
                maxHeaderListSize: 16 * 1024,
                maxHeaderFieldCount: 64
            )
        )
        let server = ViewChannel(
            http: HTTP1Channel(
                responder: { request, writer, channel in
                    connections.add(channel)
                    let response = await routes.respond(to: request, over: channel)
                    try await writer.write(response: response.head, body: response.body)
                },
                configuration: http
            )
        )
        .server(
            configuration: ServerConfiguration(
                address: .hostname(options.host, port: options.port),
                backlog: 64,
                availableConnectionsDelegate: MaximumAvailableConnections(256, logger: logger)
            ),
            onServerRunning: { channel in onRunning(channel.localAddress?.port ?? options.port) },
            eventLoopGroup: loop,
            logger: logger
        )
        // Not waited for: the resolver may take its time, and a server that ends does not.
        Task { await names.lookUpFullName() }
        do {
            try await withThrowingTaskGroup { group in
                group.addTask { try await server.run() }
                group.addTask { try await watch.run() }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            feeds.close()
            connections.closeAll()
            throw error
        }
        feeds.close()
        connections.closeAll()
    }
    #endif
}

/// Why a view can't be served.
public enum ViewError: Error, Sendable, Equatable, CustomStringConvertible {
    case notInThisBuild
    case needsToken(host: String)
    case badOption(String)
    case cannotListen(host: String, port: Int, String)
    case channel(FrameShare.ChannelError)

    public var description: String {
        switch self {
        case .notInThisBuild:
            "this build can't serve a view; build it with the package trait View ('make build' does)"
        case .needsToken(let host):
            "whoever reaches \(host) could watch; give a token that viewers must know, or listen on 127.0.0.1"
        case .badOption(let text): text
        case .cannotListen(let host, let port, let reason):
            "can't listen on \(host), port \(port): \(reason)"
        case .channel(let error): "\(error)"
        }
    }
}
