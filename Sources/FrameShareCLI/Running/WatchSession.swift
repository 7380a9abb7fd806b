import FrameCommand
import FrameJSON
import FrameShare

/// One run of `frameshare watch`: takes frames, and tells.
struct WatchSession {
    /// Why it ended.
    enum Ending {
        case time
        case frames
        case stopped
        case channelEnded
        case failed(ChannelError)

        var name: String {
            switch self {
            case .time: "time"
            case .frames: "frames"
            case .stopped: "stopped"
            case .channelEnded: "channel-ended"
            case .failed: "channel-lost"
            }
        }
    }

    private static let second: Int64 = 1_000_000_000
    private let command: Watch
    private let subscriber: Subscriber
    private let stop: StopRequest
    private let terminal = Terminal.output
    private var streams: [String]
    private var lately = WatchTally()
    private var total = WatchTally()
    private var check = FrameCheck()

    init(command: Watch, subscriber: Subscriber, stop: StopRequest) {
        self.command = command
        self.subscriber = subscriber
        self.stop = stop
        streams = subscriber.streams.map(\.name)
    }

    func begin() {
        let info = subscriber.publisher
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "start",
                    "channel": .string(subscriber.channel),
                    "policy": .string("\(subscriber.policy)"),
                    "streams": .strings(streams),
                    "source": .string(info.sourceName),
                    "publisher_pid": .number(info.pid),
                ]).text
            )
        } else {
            terminal.writeLine(
                StyledText(subscriber.channel, .bold)
                    + ": \(info.sourceName), published by pid \(info.pid); policy \(subscriber.policy), "
                    + "streams \(streams.joined(separator: ", "))"
            )
        }
    }

    /// Takes frames until there is a reason to end.
    mutating func follow() -> Ending {
        lately.reset()
        total.reset()
        let start = FrameTimestamp.now().nanoseconds
        let end = command.seconds.map { start + $0.nanoseconds }
        var nextReport = start + Self.second
        while !stop.isStopped {
            let now = FrameTimestamp.now().nanoseconds
            if let end, now >= end { return .time }
            if now >= nextReport {
                report()
                nextReport = max(nextReport + Self.second, now)
            }
            let until = min(nextReport, end ?? .max)
            do {
                guard let frame = try subscriber.nextBlocking(timeout: .nanoseconds(max(0, until - now))) else {
                    return .channelEnded
                }
                take(frame)
            } catch .timedOut {
                continue
            } catch .cancelled {
                break
            } catch {
                return .failed(error)
            }
            if let wanted = command.frames, total.frames >= wanted { return .frames }
        }
        return .stopped
    }

    private mutating func take(_ frame: consuming Frame) {
        lately.add(frame, streams: streams)
        total.add(frame, streams: streams)
        if command.verify { check.check(frame, streams: streams) }
        // The frame is held meanwhile: that is what slow work does.
        if let slow = command.slow { stop.sleep(nanoseconds: slow.nanoseconds) }
    }

    private mutating func report() {
        let line =
            command.json
            ? JSONValue.object([.init(key: "event", value: "second")] + lately.members).text : lately.line
        if !terminal.writeLine(line) { stop.outputClosed() }
        lately.reset()
    }

    /// The summary.
    func finish(_ ending: Ending) {
        if command.json {
            var members: [JSONValue.Member] = [
                .init(key: "event", value: "end"), .init(key: "reason", value: .string(ending.name)),
                .init(key: "channel", value: .string(subscriber.channel)),
                .init(key: "policy", value: .string("\(subscriber.policy)")),
            ]
            members += total.members
            if command.verify { members.append(.init(key: "verified", value: check.json)) }
            if case .failed(let error) = ending { members.append(.init(key: "error", value: .string("\(error)"))) }
            terminal.writeLine(JSONValue.object(members).text)
            return
        }
        let seconds = Quantities.time(nanoseconds: total.nanoseconds)
        terminal.writeLine(
            StyledText("\(Quantities.counted(total.frames, "frame")) in \(seconds)", .bold) + ": " + total.line
        )
        if command.verify {
            let style: StyledText.Style = check.wrong > 0 ? .red : check.checked > 0 ? .green : .yellow
            terminal.writeLine(StyledText("verified: \(check.text)", style))
        }
    }

    /// Whether it saw what was asked for.
    func throwIfUnsatisfied() throws(CommandFailure) {
        if check.wrong > 0 {
            throw CommandFailure(
                "\(check.wrong) of \(check.wrong + check.checked) images are not what was published. "
                    + "The first: \(check.firstFault ?? "")"
            )
        }
        if let wanted = command.frames, total.frames < wanted {
            throw CommandFailure("only \(total.frames) of \(wanted) frames came. See 'frameshare top' for who has them")
        }
        if command.verify, check.checked == 0, total.frames > 0 {
            throw CommandFailure(
                "nothing could be verified: the frames have neither a checksum in their metadata nor the test pattern "
                    + "in their pixels. Publish with '--source pattern'"
            )
        }
    }
}
