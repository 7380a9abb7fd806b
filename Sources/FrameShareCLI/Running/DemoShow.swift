import FrameCommand
import FrameJSON
import FrameShare

/// The demo's processes, from the first to the last.
struct DemoShow {
    private struct Reader {
        var name: String
        var arguments: [String]
    }

    private static let readers = [
        Reader(name: "preview", arguments: ["--policy", "latest"]),
        Reader(name: "recorder", arguments: ["--policy", "every-frame", "--budget", "4"]),
        Reader(name: "slow-detector", arguments: ["--policy", "queue:4", "--slow", "200ms"]),
    ]

    let stop: StopRequest
    let terminal: Terminal
    let json: Bool
    private let channel: String

    init(stop: StopRequest, terminal: Terminal, json: Bool) {
        self.stop = stop
        self.terminal = terminal
        self.json = json
        channel = Self.freeName()
    }

    /// `demo`, or `demo-2`... where another demo is running.
    private static func freeName() -> String {
        let taken = (try? ChannelDirectory.standard().channels()) ?? []
        let names = ["demo"] + (2...99).map { "demo-\($0)" }
        return names.first { name in
            guard taken.contains(name) else { return true }
            // A socket that a killed demo has left behind is no obstacle.
            return (try? ChannelMonitor(channel: name)) == nil
        } ?? "demo"
    }

    mutating func run(source: String?, for duration: Duration) throws -> DemoSummary {
        let (publisher, monitor) = try startPublisher(source)
        defer { publisher.stop() }
        var readers: [ChildProcess] = []
        defer {
            for reader in readers { reader.requestStop() }
            for reader in readers { reader.stop() }
        }
        let isPattern = try monitor.snapshot().sourceName.hasPrefix("pattern")
        for reader in Self.readers {
            var arguments = ["watch", channel, "--json", "--stop-at-eof", "--name", reader.name] + reader.arguments
            if isPattern { arguments.append("--verify") }
            readers.append(try ChildProcess(name: reader.name, arguments: arguments))
        }
        waitUntilAttached(readers, monitor)
        let view = json ? nil : BackgroundView.start(stop: stop)
        defer { view?.end() }
        if let address = view?.address { terminal.writeLine("live in a browser: \(address)") }
        let last = try follow(monitor, publisher, readers, for: duration)
        for reader in readers { reader.requestStop() }
        for reader in readers { reader.stop() }
        let readersBroken = readers.filter { $0.exit?.isSuccess == false }
        let publisherLost = !publisher.isRunning
        publisher.stop()
        return DemoSummary(
            statistics: last,
            readers: Self.readers.map(\.name),
            verified: isPattern && readersBroken.isEmpty && !publisherLost,
            brokenProcesses: (publisherLost ? [publisher] : []) + readersBroken
        )
    }

    /// Starts the publisher and waits until its channel answers. A camera that can't be used gives way to the pattern,
    /// unless it was asked for.
    private func startPublisher(_ source: String?) throws -> (ChildProcess, ChannelMonitor) {
        guard source == nil, let camera = CameraChoice.firstUsable() else {
            return try start(source ?? "pattern")
        }
        do {
            return try start(camera)
        } catch {
            let reason = CommandFailure(describing: error).message
            Terminal.errors.writeLine("frameshare: \(camera) can't be used here (\(reason)); the test pattern instead")
            return try start("pattern")
        }
    }

    private func start(_ source: String) throws -> (ChildProcess, ChannelMonitor) {
        let publisher = try ChildProcess(
            name: "publisher",
            arguments: [
                "publish", "--channel", channel, "--source", source, "--rate", "30", "--slots", "12", "--json",
                "--stop-at-eof",
            ]
        )
        for _ in 0..<200 {
            guard publisher.isRunning else {
                let prefix = "frameshare: "
                let said = publisher.errorText
                throw CommandFailure(
                    said.hasPrefix(prefix)
                        ? String(said.dropFirst(prefix.count))
                        : "the publisher \(publisher.exit?.text ?? "ended"). \(said)"
                )
            }
            if let monitor = try? ChannelMonitor(channel: channel) { return (publisher, monitor) }
            guard stop.sleep(nanoseconds: 50_000_000) else { throw InterruptedByUser() }
        }
        throw CommandFailure("the publisher's channel '\(channel)' did not come up in 10 s")
    }

    /// The show begins when all are there. A slow machine takes seconds to start four processes.
    private func waitUntilAttached(_ readers: [ChildProcess], _ monitor: ChannelMonitor) {
        for _ in 0..<400 {
            let names = ((try? monitor.snapshot())?.subscribers ?? []).map(\.name)
            if readers.allSatisfy({ names.contains($0.name) }) { return }
            guard readers.allSatisfy(\.isRunning), stop.sleep(nanoseconds: 50_000_000) else { return }
        }
    }

    /// Shows the table until the time is over.
    /// - Returns: the last state in which all readers were there
    private func follow(
        _ monitor: ChannelMonitor,
        _ publisher: ChildProcess,
        _ readers: [ChildProcess],
        for duration: Duration
    ) throws -> ChannelStatistics {
        let area = json ? nil : LiveArea(terminal)
        let interval: Int64 = terminal.canRedraw || json ? 500_000_000 : 1_000_000_000
        var statistics = try monitor.snapshot()
        var earlier: ChannelStatistics?
        let end = FrameTimestamp.now().nanoseconds + duration.nanoseconds
        while !stop.isStopped, publisher.isRunning {
            let now = FrameTimestamp.now().nanoseconds
            if now >= end { break }
            guard stop.sleep(nanoseconds: min(interval, end - now)) else { break }
            guard let next = try? monitor.snapshot() else { break }
            (earlier, statistics) = (statistics, next)
            let isRead: Bool
            if let area {
                let report = ChannelReport(now: statistics, earlier: earlier)
                isRead = area.draw(report.heading() + report.counters + report.subscribers(width: area.width))
            } else {
                isRead = terminal.writeLine(statistics.json.text)
            }
            if !isRead { stop.outputClosed() }
            if readers.allSatisfy({ !$0.isRunning }) { break }
        }
        return statistics
    }
}
