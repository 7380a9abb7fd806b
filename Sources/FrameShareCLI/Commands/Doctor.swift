import ArgumentParser
import FrameCommand
import FrameJSON

/// `frameshare doctor`
struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what this machine has for sharing frames, what is missing, and how to get it.",
        discussion: """
            Looks at the folder for channels, memfd seals, DMA heaps, udmabuf, CMA, memory, limits, this user's \
            groups, and the video devices. Changes nothing.

            Examples:
              frameshare doctor
              frameshare doctor --json | jq '.checks[] | select(.state == "missing")'

            Exit code 0 when frames can be shared here, 1 when not.
            """
    )

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let checks = DoctorCheck.all()
        let canShare = checks.allSatisfy { !$0.isVital || $0.state != .missing }
        let terminal = Terminal.output
        if json {
            terminal.writeLine(
                JSONValue.object(["ok": .bool(canShare), "checks": .array(checks.map(\.json))]).text
            )
        } else {
            for check in checks {
                for line in check.lines { terminal.writeLine(line) }
            }
            terminal.writeLine(
                canShare
                    ? StyledText("frames can be shared here", .green) + "; see it: 'frameshare demo'"
                    : StyledText("frames can't be shared here", .red) + " until what is missing above is there"
            )
        }
        if !canShare { throw ExitCode(CommandFailure.Code.failed.rawValue) }
    }
}
