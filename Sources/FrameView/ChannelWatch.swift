#if View
internal import FrameJSON
internal import FrameShare
internal import FrameSinks
internal import NIOPosix
internal import PixelFormats
internal import Synchronization

/// Looks at all channels once a second, and tells those who listen.
final class ChannelWatch: Sendable {
    /// A channel as it was seen last.
    struct Seen: Sendable {
        var statistics: ChannelStatistics
        var isLive = true
        var lastLive = ContinuousClock.now
        var framesPerSecond = 0.0
        var hasControls = false
        var canTrigger = false
    }

    /// What is told once a second, as JSON.
    struct Report: Sendable {
        var channels: String
        var statistics: String
        var viewers: String
    }

    private struct State {
        var seen: [String: Seen] = [:]
        var listeners: [UInt64: Mailbox<Report>] = [:]
        var nextID: UInt64 = 0
        var report: Report?
        /// The channels that are being looked at.
        var looking: Set<String> = []
        /// Is told when nothing is looked at any more.
        var finished = Mailbox<Bool>()
    }

    /// Connections of the looking thread.
    private struct Monitor {
        var monitor: ChannelMonitor
        var lastPublished: UInt64
        var lastLook: ContinuousClock.Instant
        var hasControls: Bool
    }

    private let names: [String]
    private let directory: ChannelDirectory
    private let feeds: PictureFeeds
    private let state = Mutex(State())
    private let monitors = Mutex<[String: Monitor]>([:])
    /// A look blocks: each channel has a thread of its own for it.
    private let threads = WaiterThreads(name: "fs-look")

    /// How long a report waits for channels that don't answer at once. A later answer is in the next.
    private static let patience = Duration.milliseconds(200)
    /// The most channels that are looked at; and the most that are remembered when they are gone.
    private static let maximum = 64
    /// How long a channel that is gone is remembered.
    private static let memory = Duration.seconds(600)

    init(_ names: [String], _ directory: ChannelDirectory, _ feeds: PictureFeeds) {
        (self.names, self.directory, self.feeds) = (names, directory, feeds)
    }

    /// Looks until the task is cancelled.
    func run() async throws {
        defer { threads.close() }
        while true {
            let there = try await NIOThreadPool.singleton.runIfActive { [directory] in
                (try? directory.channels()) ?? []
            }
            let wanted = names.isEmpty ? there : names
            await look(at: Array(wanted.prefix(Self.maximum)))
            report(wanted)
            try await Task.sleep(for: .seconds(1))
        }
    }

    // MARK: what was seen

    var seen: [(name: String, seen: Seen)] {
        state.withLock { $0.seen }.map { ($0.key, $0.value) }.sorted { $0.name < $1.name }
    }

    func seen(_ name: String) -> Seen? { state.withLock { $0.seen[name] } }

    // MARK: listening

    func listen() -> (id: UInt64, reports: Mailbox<Report>) {
        let mailbox = Mailbox<Report>()
        let (id, report) = state.withLock { state in
            state.nextID += 1
            state.listeners[state.nextID] = mailbox
            return (state.nextID, state.report)
        }
        if let report { mailbox.put(report) }
        return (id, mailbox)
    }

    func stopListening(_ id: UInt64) { state.withLock { $0.listeners[id] = nil } }

    // MARK: looking

    /// Looks at each in its own time: a publisher that is stopped keeps no other waiting.
    private func look(at names: [String]) async {
        let (due, finished) = state.withLock { state in
            state.finished = Mailbox()
            return (names.filter { state.looking.insert($0).inserted }, state.finished)
        }
        guard !due.isEmpty else { return }
        for name in due {
            Task { [self] in
                let now = try? await threads.wait(onCancel: {}) { [self] _ throws(FrameShare.ChannelError) in
                    look(at: name)
                }
                finish(name, now ?? nil)
            }
        }
        _ = await finished.take(within: Self.patience)
    }

    private func finish(_ name: String, _ now: Seen?) {
        let finished: Mailbox<Bool>? = state.withLock { state in
            if let now {
                state.seen[name] = now
            } else {
                state.seen[name]?.isLive = false
                state.seen[name]?.framesPerSecond = 0
            }
            state.looking.remove(name)
            return state.looking.isEmpty ? state.finished : nil
        }
        finished?.put(true)
    }

    private func report(_ wanted: [String]) {
        var seen = state.withLock { $0.seen }
        for name in seen.keys where !wanted.contains(name) {
            seen[name]?.isLive = false
            seen[name]?.framesPerSecond = 0
            monitors.withLock { $0[name] = nil }
        }
        // Who looks at one that is gone is shown it again when it comes back.
        let watched = feeds.figures.filter { $0.figures.viewers > 0 }.map(\.key.channel)
        for name in Self.forgettable(seen, keeping: wanted + watched, now: .now) {
            seen[name] = nil
            feeds.forget(channel: name)
        }
        let report = Report(
            channels: Self.channels(seen).text,
            statistics: statistics(seen).text,
            viewers: viewers.text
        )
        let listeners = state.withLock { [seen] state in
            // A look may have ended meanwhile: what it saw stays.
            for name in state.seen.keys where !wanted.contains(name) { state.seen[name] = seen[name] }
            state.report = report
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.put(report) }
    }

    /// The channels that are gone for long, and of many that are gone, those that went first.
    static func forgettable(
        _ seen: [String: Seen],
        keeping wanted: [String],
        now: ContinuousClock.Instant
    ) -> [String] {
        let gone = seen.filter { !$0.value.isLive && !wanted.contains($0.key) }.sorted {
            ($1.value.lastLive, $0.key) < ($0.value.lastLive, $1.key)
        }
        return gone.enumerated().filter { $0.offset >= maximum || now - $0.element.value.lastLive > memory }.map {
            $0.element.key
        }
    }

    /// Nil where nobody publishes, or the publisher doesn't answer.
    private func look(at name: String) -> Seen? {
        let known = monitors.withLock { $0[name] }
        do throws(FrameShare.ChannelError) {
            let monitor: ChannelMonitor
            var hasControls = known?.hasControls ?? false
            if let known {
                monitor = known.monitor
            } else {
                monitor = try ChannelMonitor(channel: name, directory: directory, timeout: .milliseconds(500))
            }
            // A source may offer them some time after its channel is there.
            if !hasControls { hasControls = (try? monitor.controls())?.isEmpty == false }
            let statistics = try monitor.snapshot()
            let now = ContinuousClock.now
            var seen = Seen(statistics: statistics)
            if let known {
                let time = (now - known.lastLook) / .seconds(1)
                let frames =
                    statistics.published >= known.lastPublished ? statistics.published - known.lastPublished : 0
                seen.framesPerSecond = time > 0 ? Double(frames) / time : 0
            }
            seen.hasControls = hasControls
            seen.canTrigger = TriggerSocket.isAwaited(channel: name, directory: directory)
            monitors.withLock {
                $0[name] = Monitor(
                    monitor: monitor,
                    lastPublished: statistics.published,
                    lastLook: now,
                    hasControls: hasControls
                )
            }
            return seen
        } catch {
            // A connection that failed is made anew the next time.
            monitors.withLock { $0[name] = nil }
            return nil
        }
    }

    // MARK: as JSON

    static func channels(_ seen: [String: Seen]) -> JSONValue {
        .object([
            "channels": .array(seen.sorted { $0.key < $1.key }.map { channel($0.key, $0.value, []) })
        ])
    }

    /// A channel, with more members at its end.
    static func channel(_ name: String, _ seen: Seen, _ more: [JSONValue.Member]) -> JSONValue {
        let value = JSONValue.object([
            "name": .string(name),
            "state": .string(seen.isLive ? "live" : "noSignal"),
            "streams": .array(seen.statistics.streams.map { stream($0.stream) }),
            "canTrigger": .bool(seen.canTrigger),
            "controls": .bool(seen.isLive && seen.hasControls),
        ])
        guard case .object(let members) = value else { return value }
        return .object(members + more)
    }

    private static func stream(_ stream: Stream) -> JSONValue {
        let layout = stream.layout
        return .object([
            "name": .string(stream.name), "width": .number(layout.width), "height": .number(layout.height),
            "format": .string(layout.format.name), "kind": .string(StreamKind(layout).rawValue),
        ])
    }

    private func statistics(_ seen: [String: Seen]) -> JSONValue {
        .object([
            "channels": .object(
                seen.filter(\.value.isLive).sorted { $0.key < $1.key }.map { name, seen in
                    .init(key: name, value: statistics(name, seen))
                }
            )
        ])
    }

    /// What `frameshare top --json` prints, with rate and latency.
    func statistics(_ name: String, _ seen: Seen) -> JSONValue {
        guard case .object(let members) = seen.statistics.json else { return .null }
        let watched = feeds.figures.filter { $0.key.channel == name }.max { $0.figures.viewers < $1.figures.viewers }
        let more = JSONValue.object([
            "framesPerSecond": .number(seen.framesPerSecond, digits: 1), "latency": watched?.figures.latency.json,
        ])
        guard case .object(let added) = more else { return .null }
        return .object(members + added)
    }

    private var viewers: JSONValue {
        .object(
            feeds.figures.map { key, figures in
                .init(
                    key: "\(key.channel)/\(key.stream)",
                    value: .object([
                        "viewers": .number(figures.viewers), "encoded": .number(figures.encoded),
                        "sent": .number(figures.sent), "dropped": .number(figures.dropped),
                        "pixelAspect": figures.pixelAspect.map { .array([.number($0.width), .number($0.height)]) },
                    ])
                )
            }
        )
    }
}

/// How a stream can be looked at.
enum StreamKind: String {
    case pictures
    case packets
    /// In no way: a format that nothing here decodes.
    case none

    init(_ layout: ImageLayout) {
        if Snapshot.canEncode(layout) {
            self = .pictures
        } else {
            self = VideoCodec(layout.format) == .h264 ? .packets : .none
        }
    }
}
#endif
