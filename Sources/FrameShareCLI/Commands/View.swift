import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare
import FrameView

/// `frameshare view`
struct View: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show channels live in a browser, with their figures.",
        discussion: """
            Serves a page with the pictures of every channel and stream, and what 'frameshare top' tells. Each picture is \
            encoded once, however many watch; a slow browser loses its own pictures and holds no slot of the camera. \
            What 'frameshare encode --low-latency' shares is played as video. \
            A publisher that goes shows as "no signal", and its return heals the page.

            Only this machine can look, unless --listen says otherwise: then viewers need a token, which is made and \
            shown unless you give one. There is no encryption: put a TLS proxy before it where others listen in. It may have \
            any path there: the page's addresses are relative.

            Also for programs: /channels/CHANNEL/STREAM.jpg is a snapshot and .mjpg the live pictures (Home Assistant, \
            Frigate, VLC; the token is the password), /metrics is for Prometheus, /openapi.json describes it all.

            Examples:
              frameshare view
              frameshare view camera0 --listen 0.0.0.0:8080
              curl -o door.jpg localhost:8080/channels/camera0/main.jpg

            Ctrl-C ends it.
            """
    )

    @Argument(help: "The channels to show. Left out: all, also those that come later.")
    var channels: [String] = []

    @Option(
        help: .init("Where to listen; port 0: any that is free.", valueName: "address:port"),
        transform: ListenArgument.parse
    )
    var listen = ListenArgument(host: "127.0.0.1", port: 8080)

    @Option(help: .init("What viewers must know: at least 8 letters, digits, '-', '.', '_' or '~'.", valueName: "text"))
    var token: String?

    @Option(
        name: .customLong("token-file"),
        help: .init(
            "A file whose first line is the token: others can't see it in the list of processes.",
            valueName: "path"
        )
    )
    var tokenFile: String?

    @Option(
        name: .customLong("host-name"),
        help: .init(
            "A name by which browsers reach this machine, besides localhost, addresses and its own names; repeat.",
            valueName: "name"
        )
    )
    var hostNames: [String] = []

    @Option(
        name: .customLong("base-path"),
        help: .init(
            "What every path begins with, such as /cameras: for a proxy that passes on the whole path. One that takes it off needs nothing.",
            valueName: "path"
        )
    )
    var basePath = ""

    @Option(help: .init("The most pictures a second, 1 to 120.", valueName: "rate"))
    var fps = 30

    @Option(help: .init("JPEG quality, 1 to 100.", valueName: "quality"))
    var quality = 80

    @Flag(help: "Show damaged frames too.")
    var damaged = false

    @Flag(help: "Print one JSON line when browsers can connect.")
    var json = false

    func run() throws {
        var options = ViewServer.Options()
        (options.host, options.port, options.channels) = (listen.host, listen.port, channels)
        (options.framesPerSecond, options.quality, options.names) = (fps, quality, hostNames)
        options.basePath = basePath
        options.showsDamaged = damaged
        options.token = try chosenToken()
        let (server, token) = try ViewSession.server(options)
        let stop = try StopRequest()
        try ViewSession(server: server, token: token, stop: stop).run { address in
            Terminal.output.writeLine(
                json
                    ? JSONValue.object(["address": .string(address)]).text
                    : "watch at \(address)   (Ctrl-C ends it)"
            )
            // Nobody could learn the address, and nothing else is written until the end.
            if OutputFailure.isKnown { stop.outputClosed() }
        }
        try OutputFailure.check()
        try stop.throwIfInterrupted()
    }

    private func chosenToken() throws -> String? {
        guard let tokenFile else { return token }
        guard token == nil else { throw ValidationError("--token and --token-file: give one of them") }
        return try TokenFile.read(tokenFile)
    }
}

/// `ADDRESS:PORT`, `[IPv6]:PORT`, or a port alone.
struct ListenArgument: Sendable, Hashable, CustomStringConvertible {
    var host: String
    var port: Int

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    static func parse(_ text: String) throws -> ListenArgument {
        let advice = ValidationError("give ADDRESS:PORT, such as 127.0.0.1:8080, 0.0.0.0:80 or [::]:8080")
        if let port = DecimalText.integer(text) {
            guard (0...65535).contains(port) else { throw advice }
            return ListenArgument(host: "127.0.0.1", port: port)
        }
        guard let colon = text.lastIndex(of: ":"), let port = DecimalText.integer(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else { throw advice }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw advice
        }
        guard !host.isEmpty else { throw advice }
        return ListenArgument(host: host, port: port)
    }
}
