#if View
internal import FrameJSON
internal import FrameShare
internal import FrameSinks
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore
internal import NIOPosix

/// What is where, and who may have it: Page/openapi.json says the same to machines.
struct Routes: Sendable {
    let options: ViewServer.Options
    let directory: ChannelDirectory
    let watch: ChannelWatch
    let feeds: PictureFeeds
    private let gate: RequestGuard
    let snapshots: SnapshotTaker

    init(
        options: ViewServer.Options,
        names: MachineNames,
        directory: ChannelDirectory,
        watch: ChannelWatch,
        feeds: PictureFeeds
    ) {
        (self.options, self.directory, self.watch, self.feeds) = (options, directory, watch, feeds)
        gate = RequestGuard(host: options.host, names: names, token: options.token)
        snapshots = SnapshotTaker(directory: directory, showsDamaged: options.showsDamaged)
    }

    func respond(to request: Request, over channel: any Channel) async -> Response {
        var response: Response
        do throws(Refusal) {
            response = try await answer(request, channel)
        } catch {
            response = error.response
        }
        response.headers.add(commonTo: request)
        // The header stays as it is, with the length of what GET would bring.
        guard request.method == .head else { return response }
        let fields = response.headers
        response = response.createHeadResponse()
        response.headers = fields
        return response
    }

    private func answer(_ request: Request, _ channel: any Channel) async throws(Refusal) -> Response {
        let port = channel.localAddress?.port ?? options.port
        switch gate.check(request, port: port) {
        case .refused(let status, let text): throw Refusal(status, text)
        case .allowed: break
        case .allowedByAddress:
            if request.uri.path.hasSuffix("/"), let token = options.token {
                // Without a path it is for the page's folder as the browser knows it, and a relative location is, too: a
                // proxy may have put this server anywhere.
                let cookie = "\(RequestGuard.cookie(port: port))=\(token); HttpOnly; SameSite=Strict"
                return Response(status: .seeOther, headers: [.location: "./", .setCookie: cookie])
            }
        }
        guard let path = pathBelowBase(request.uri.path) else {
            throw Refusal(.notFound, "there is nothing here; \(options.basePath)/ is the page")
        }
        guard !path.isEmpty else {
            // Below the folder, or the page's relative addresses would lead beside it.
            let name = options.basePath.split(separator: "/").last ?? ""
            let query = request.uri.query.map { "?" + $0 } ?? ""
            return Response(status: .movedPermanently, headers: [.location: "\(name)/\(query)"])
        }
        let parts = path.utf8.count <= 256 ? path.split(separator: "/").map(String.init) : []
        switch (parts.first, parts.count) {
        case (nil, _) where path == "/": return try page("index.html", request)
        case ("healthz", 1): return try get(request) { .json(.object(["status": "ok"])) }
        case ("metrics", 1):
            return try get(request) {
                .text(Metrics(watch.seen, feeds).document, type: "text/plain; version=0.0.4; charset=utf-8")
            }
        case ("api", 2...4): return try await api(Array(parts.dropFirst()), request, channel)
        case ("channels", 3): return try await picture(parts[1], parts[2], request, channel)
        case (let name?, 1): return try page(name, request)
        default: throw .noSuchPage
        }
    }

    /// The path without the base that every one has; nil for another.
    private func pathBelowBase(_ path: String) -> Substring? {
        guard path.hasPrefix(options.basePath) else { return nil }
        let rest = path.dropFirst(options.basePath.count)
        return rest.isEmpty && !options.basePath.isEmpty || rest.hasPrefix("/") ? rest : nil
    }

    private func page(_ name: String, _ request: Request) throws(Refusal) -> Response {
        guard let file = PageFile(name) else { throw .noSuchPage }
        return try get(request) {
            Response(status: .ok, headers: [.contentType: file.type], body: .init(byteBuffer: file.bytes))
        }
    }

    private func get(_ request: Request, _ answer: () -> Response) throws(Refusal) -> Response {
        guard request.method == .get || request.method == .head else { throw .method(allowed: "GET, HEAD") }
        return answer()
    }

    // MARK: what machines ask

    private func api(_ parts: [String], _ request: Request, _ channel: any Channel) async throws(Refusal) -> Response {
        switch (parts[0], parts.count) {
        case ("events", 1): return try get(request) { EventStream(watch).response(over: channel) }
        case ("channels", 1):
            return try get(request) { .json(ChannelWatch.channels(Dictionary(uniqueKeysWithValues: watch.seen))) }
        case ("figures", 1): return try get(request) { .json(ChannelStatistics.describedFigures) }
        case ("channels", 2): return try describe(parts[1], request)
        case ("channels", 3) where parts[2] == "trigger": return try await trigger(parts[1], request)
        case ("channels", 3) where parts[2] == "controls": return try await controls(parts[1], request)
        default: throw .noSuchPage
        }
    }

    private func describe(_ name: String, _ request: Request) throws(Refusal) -> Response {
        let seen = try known(name)
        return try get(request) {
            let statistics = seen.isLive ? watch.statistics(name, seen) : nil
            return .json(
                ChannelWatch.channel(name, seen, statistics.map { [.init(key: "statistics", value: $0)] } ?? [])
            )
        }
    }

    private func trigger(_ name: String, _ request: Request) async throws(Refusal) -> Response {
        _ = try known(name)
        guard request.method == .post else { throw .method(allowed: "POST") }
        let body = try await RequestDocument.read(request)
        var post: Duration?
        for (key, value) in body {
            guard key == "post" else { throw .badBody("'\(key)' is not known; 'post' is: seconds") }
            let seconds: Double? =
                switch value {
                case .integer(let number): Double(number)
                case .number(let number): number
                default: nil
                }
            guard let seconds, (0...86400).contains(seconds) else { throw .badBody("'post' is 0 to 86400 seconds") }
            post = .nanoseconds(Int64(seconds * 1e9))
        }
        let reached: Int
        do {
            reached = try await onThread { [directory, post] in
                try TriggerSocket.send(.init(post: post), channel: name, directory: directory)
            }
        } catch {
            throw Refusal(.conflict, "\(error)")
        }
        guard reached > 0 else {
            throw Refusal(.conflict, "no recorder waits: 'frameshare record \(name) -o clip.mp4 --on-trigger' does")
        }
        return .json(.object(["recorders": .number(reached)]), .accepted)
    }

    private func controls(_ name: String, _ request: Request) async throws(Refusal) -> Response {
        let seen = try known(name)
        guard [.get, .head, .put].contains(request.method) else { throw .method(allowed: "GET, HEAD, PUT") }
        let settings = request.method == .put ? try await RequestDocument.settings(request) : []
        guard seen.isLive else { throw .noSignal }
        do {
            return try await onThread { [directory] in
                let monitor = try ChannelMonitor(channel: name, directory: directory)
                if settings.isEmpty { return .json(.object(["controls": .array(try monitor.controls().map(\.json))])) }
                let outcomes = try monitor.setControls(settings)
                return .json(.object(["controls": .array(outcomes.map(\.json))]))
            }
        } catch FrameShare.ChannelError.controlsRefused(_, let reason) {
            throw Refusal(request.method == .put ? .conflict : .notFound, reason)
        } catch {
            throw .noSignal
        }
    }

    // MARK: pictures

    private func picture(
        _ name: String,
        _ file: String,
        _ request: Request,
        _ channel: any Channel
    ) async throws(Refusal) -> Response {
        guard let dot = file.lastIndex(of: ".") else { throw .noSuchPage }
        let (stream, ending) = (String(file[..<dot]), file[file.index(after: dot)...])
        guard ["jpg", "mjpg", "mp4"].contains(ending) else { throw .noSuchPage }
        let seen = try known(name)
        guard request.method == .get || request.method == .head else { throw .method(allowed: "GET, HEAD") }
        guard let found = seen.statistics.streams.first(where: { $0.stream.name == stream })?.stream else {
            throw Refusal(.notFound, "the channel has no stream '\(stream)'")
        }
        let kind = StreamKind(found.layout)
        guard kind == (ending == "mp4" ? .packets : .pictures) else {
            throw Refusal(.notFound, "\(found.layout.format.name) is not shown in this way")
        }
        switch ending {
        case "jpg":
            let quality = try number("quality", 1...100, request) ?? options.quality
            guard seen.isLive else { throw .noSignal }
            return try await snapshots.take(channel: name, stream: stream, quality: quality)
        case "mp4":
            guard seen.isLive else { throw .noSignal }
            guard let place = feeds.takePlace(forPackets: .init(channel: name, stream: stream)) else {
                throw .tooManyViewers
            }
            return try PacketStream(
                channel: name,
                stream: stream,
                directory: directory,
                showsDamaged: options.showsDamaged,
                place: place
            )
            .response(over: channel)
        default:
            let rate = try number("fps", 1...60, request) ?? options.framesPerSecond
            let isHeaderAhead = try number("ahead", 0...1, request) == 1
            guard let place = feeds.takePlace() else { throw .tooManyViewers }
            let stream = PictureStream(
                feed: feeds.feed(.init(channel: name, stream: stream)),
                place: place,
                framesPerSecond: min(rate, options.framesPerSecond),
                isHeaderAhead: isHeaderAhead
            )
            return stream.response(over: channel)
        }
    }

    private func number(_ name: String, _ range: ClosedRange<Int>, _ request: Request) throws(Refusal) -> Int? {
        guard let text = request.uri.queryParameters[Substring(name)] else { return nil }
        guard let number = DecimalText.integer(text), range.contains(number) else {
            throw Refusal(.badRequest, "\(name) is \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    // MARK: channels

    private func known(_ name: String) throws(Refusal) -> ChannelWatch.Seen {
        do throws(FrameShare.ChannelError) {
            try ChannelName.check(name)
        } catch {
            throw .badName(name)
        }
        guard let seen = watch.seen(name) else { throw Refusal(.notFound, "there is no channel '\(name)'") }
        return seen
    }

    private func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}
#endif
