import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare

/// `frameshare list`
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the channels of this machine.",
        discussion: """
            Each channel with who publishes it, its streams (size, format, stride), the memory they are in and \
            whether readers are kept from writing, and its subscribers. One that does not let you in, or whose publisher \
            does not answer, is named with the reason.

            Examples:
              frameshare list
              frameshare list camera0
              frameshare list --json | jq -r '.[].channel'

            Exit code 3 when a channel that was named is not there.
            """
    )

    @Argument(help: "Only these channels.")
    var channels: [String] = []

    @Flag(help: "Also sockets that a publisher left behind when it was killed.")
    var all = false

    @Flag(help: "Print one JSON array.")
    var json = false

    func run() throws {
        let directory = try ChannelDirectory.standard()
        for channel in channels { try ChannelName.check(channel) }
        let seen = ChannelLooks.all(channels.isEmpty ? try directory.channels() : channels) {
            name throws(ChannelError) in
            try ChannelLooks.state(of: name, in: directory)
        }
        // What was asked for by name is told, whatever it is.
        let entries = seen.filter { all || !channels.isEmpty || !Self.isLeftBehind($0.result) }
        if json {
            Terminal.output.writeLine(JSONValue.array(entries.map(Self.json)).text)
        } else {
            tell(entries, leftBehind: seen.count - entries.count, in: directory)
        }
        if !channels.isEmpty, let first = entries.lazy.compactMap({ Self.failure($0.result) }).first { throw first }
    }

    private typealias Entry = (name: String, result: Result<ChannelStatistics, ChannelError>)

    private static func failure(_ result: Result<ChannelStatistics, ChannelError>) -> ChannelError? {
        if case .failure(let error) = result { error } else { nil }
    }

    /// Nobody listens at the socket.
    private static func isLeftBehind(_ result: Result<ChannelStatistics, ChannelError>) -> Bool {
        if case .noSuchChannel? = failure(result) { true } else { false }
    }

    /// Beside the channel's name. A socket may also have gone since its folder was read.
    private static func reason(_ error: ChannelError) -> String {
        guard case .noSuchChannel = error else { return "\(error)" }
        return "left behind by a publisher that was killed; the next one of this name takes its place"
    }

    private static func json(_ entry: Entry) -> JSONValue {
        switch entry.result {
        case .success(let statistics): statistics.json
        case .failure(let error): .object(["channel": .string(entry.name), "error": .string("\(error)")])
        }
    }

    private func tell(_ entries: [Entry], leftBehind: Int, in directory: ChannelDirectory) {
        let terminal = Terminal.output
        if entries.isEmpty {
            let more =
                leftBehind > 0 ? " (\(Quantities.counted(leftBehind, "socket")) left behind by killed ones: --all)" : ""
            terminal.writeLine("no channels in \(directory.path)\(more). Start one: 'frameshare publish'")
        }
        for entry in entries {
            switch entry.result {
            case .success(let statistics):
                let report = ChannelReport(now: statistics)
                for line in report.heading() + report.counters + report.subscribers() { terminal.writeLine(line) }
            case .failure(let error):
                // Asked for by name it is the command's own failure, which says it.
                guard channels.isEmpty else { continue }
                terminal.writeLine(StyledText(entry.name, .bold) + "  " + StyledText(Self.reason(error), .yellow))
            }
        }
    }
}
