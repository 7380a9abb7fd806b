import ArgumentParser
import FrameJSON
import FrameShare

/// `frameshare list`
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the channels of this machine.",
        discussion: """
            Each channel with who publishes it, its streams (size, format, stride), the memory they are in and \
            whether readers are kept from writing, and its subscribers. A socket whose publisher has died, or that \
            does not let you in, is named with the reason.

            Examples:
              frameshare list
              frameshare list --json | jq -r '.[].channel'
            """
    )

    @Flag(help: "Print one JSON array.")
    var json = false

    func run() throws {
        let directory = try ChannelDirectory.standard()
        let entries = try directory.channels().map { name in
            (name: name, state: Result { () throws(ChannelError) in try Self.look(at: name, in: directory) })
        }
        if json {
            let values = entries.map { entry -> JSONValue in
                switch entry.state {
                case .success(let statistics): statistics.json
                case .failure(let error): .object(["channel": .string(entry.name), "error": .string("\(error)")])
                }
            }
            Terminal.output.writeLine(JSONValue.array(values).text)
            return
        }
        if entries.isEmpty {
            Terminal.output.writeLine("no channels in \(directory.path). Start one: 'frameshare publish'")
        }
        for entry in entries {
            let terminal = Terminal.output
            switch entry.state {
            case .success(let statistics):
                let report = ChannelReport(now: statistics, terminal: terminal)
                for line in report.heading() + report.counters + report.subscribers() { terminal.writeLine(line) }
            case .failure(let error):
                terminal.writeLine("\(terminal.styled(entry.name, .bold))  \(terminal.styled("\(error)", .yellow))")
            }
        }
    }

    private static func look(
        at name: String,
        in directory: ChannelDirectory
    ) throws(ChannelError) -> ChannelStatistics {
        let monitor = try ChannelMonitor(channel: name, directory: directory)
        return try monitor.snapshot()
    }
}
