import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare

/// `frameshare top`
struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch who reads a channel, who loses frames, and who holds what.",
        discussion: """
            One row for each subscriber: frames delivered; dropped, of those 'full' since it held its whole budget and \
            'short' since the pool was used up; waiting in its queue; held (of its budget; 'r' where it is reserved, 'c' \
            while it lags and is given copies, FULL where it gets no frame before it releases one); the age of the oldest \
            frame it holds, and its latency from publication. Above them the camera's own losses and the use of the pool. On a terminal the \
            table is drawn in place; elsewhere it is printed again each time.

            Examples:
              frameshare top camera0
              frameshare top camera0 --once
              frameshare top camera0 --json | jq '.subscribers[] | {name, dropped}'

            Exit code 3 when the channel is not there, or ends otherwise than in order.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Flag(help: "Show the present state once, and end.")
    var once = false

    @Flag(help: "Print one JSON object each time.")
    var json = false

    @Option(
        help: .init("How often to look. Left out: each second.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var every: Duration = .seconds(1)

    @Option(help: .init("End after so long.", valueName: "duration"), transform: DurationArgument.parse)
    var seconds: Duration?

    func validate() throws {
        guard every >= .milliseconds(20) else { throw ValidationError("--every: at least 20ms") }
    }

    func run() throws {
        let stop = try StopRequest()
        let name = try channel.resolve(stop)
        let monitor = try stop.leavingAtOnce { try ChannelMonitor(channel: name) }
        do {
            try show(monitor, stop)
        } catch ChannelError.closed {
            // The channel has ended in order.
        }
        try stop.throwIfInterrupted()
    }

    private func show(_ monitor: ChannelMonitor, _ stop: StopRequest) throws {
        let terminal = Terminal.output
        if once {
            let statistics = try stop.leavingAtOnce { try monitor.snapshot() }
            return print(statistics, nil, terminal)
        }
        let area = json ? nil : LiveArea(terminal)
        var earlier: ChannelStatistics?
        let end = seconds.map { FrameTimestamp.now().nanoseconds + $0.nanoseconds }
        while !stop.isStopped {
            let statistics = try stop.leavingAtOnce { try monitor.snapshot() }
            let isRead: Bool
            if let area {
                let report = ChannelReport(now: statistics, earlier: earlier)
                isRead = area.draw(report.heading() + report.counters + report.subscribers(width: area.width))
            } else {
                isRead = terminal.writeLine(statistics.json.text)
            }
            if !isRead { stop.outputClosed() }
            earlier = statistics
            let now = FrameTimestamp.now().nanoseconds
            if let end, now >= end { break }
            stop.sleep(nanoseconds: min(every.nanoseconds, end.map { $0 - now } ?? .max))
        }
    }

    private func print(_ statistics: ChannelStatistics, _ earlier: ChannelStatistics?, _ terminal: Terminal) {
        guard !json else {
            terminal.writeLine(statistics.json.text)
            return
        }
        let report = ChannelReport(now: statistics, earlier: earlier)
        for line in report.heading() + report.counters + report.subscribers() { terminal.writeLine(line) }
    }
}
