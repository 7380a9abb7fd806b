import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare

/// `frameshare control`
struct Control: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a channel's camera controls, or set some, while frames go on.",
        discussion: """
            Without settings: all controls, with what they are set to and what they take. With settings: each is set, in \
            this order, and what the camera made of it is told. Settings stay through reconfigurations, and when a camera \
            is unplugged and comes back. With which frame one takes effect is the camera's affair; libcamera's metadata \
            tells ('frameshare watch').

            Names are the driver's ('frameshare cameras' shows them) or libcamera's. By default only the publisher's user \
            may set: 'frameshare publish --control-access'.

            Examples:
              frameshare control camera0
              frameshare control camera0 brightness=128 exposure_auto=1
              frameshare control camera0 ExposureTime=8000 AeEnable=false
              frameshare control camera0 --json | jq -r '.[].name'

            Exit code 0 when all was set; 1 when something was refused, which is said of each; 3 without the channel.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Argument(help: .init("What to set.", valueName: "name=value"), transform: ControlArgument.parse)
    var settings: [ControlArgument] = []

    @Flag(help: "Print one JSON array: of the controls, or of what became of each setting.")
    var json = false

    func run() throws {
        let monitor = try ChannelMonitor(channel: try channel.resolve())
        if settings.isEmpty {
            show(try monitor.controls())
        } else {
            try tell(try monitor.setControls(settings.map { ControlSetting($0.name, $0.value) }))
        }
    }

    private func show(_ controls: [CameraControl]) {
        let terminal = Terminal.output
        if json {
            terminal.writeLine(JSONValue.array(controls.map(\.json)).text)
            return
        }
        if controls.isEmpty { terminal.writeLine("the camera has no controls") }
        for control in controls {
            terminal.writeLine(
                StyledText(control.name, .bold)
                    + "=\(control.value ?? (control.kind == .button ? "1" : "?"))  \(control.allowed)"
                    + (control.isReadOnly ? ", read-only" : "") + (control.isInactive ? ", inactive now" : "")
            )
        }
    }

    private func tell(_ outcomes: [ControlOutcome]) throws {
        if json { Terminal.output.writeLine(JSONValue.array(outcomes.map(\.json)).text) }
        for outcome in outcomes {
            switch outcome.result {
            case .success(let value): if !json { Terminal.output.writeLine("\(outcome.name)=\(value)") }
            case .failure(let error): Terminal.errors.writeLine("frameshare: \(outcome.name): \(error)")
            }
        }
        if outcomes.contains(where: { if case .failure = $0.result { true } else { false } }) {
            throw ExitCode(CommandFailure.Code.failed.rawValue)
        }
    }
}

extension CameraControl {
    /// What may be set, for people.
    fileprivate var allowed: String {
        let range = minimum.isEmpty && maximum.isEmpty ? "" : "\(minimum) to \(maximum)"
        let text =
            switch kind {
            case .boolean: "true or false"
            case .menu: items.map { "\($0.value) (\($0.name))" }.joined(separator: ", ")
            case .button: "a button: give it any value"
            case .text: "text"
            case .other: "can't be set here"
            case .integer, .number, .bitmask, .rectangle, .size: range
            }
        return text + (standard.isEmpty ? "" : ", standard \(standard)")
    }
}
