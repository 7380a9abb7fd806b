// Sets a control of a channel's source, and says what became of it. See OfferControls.
//
//   swift run --package-path Examples SetControl [CHANNEL]

import FrameShare
import Glibc

@main
enum SetControl {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("SetControl: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        let monitor = try ChannelMonitor(channel: channel)
        for control in try monitor.controls() {
            print("\(control.name): \(control.minimum) to \(control.maximum), now \(control.value ?? "unknown")")
        }
        for outcome in try monitor.setControls([ControlSetting("Brightness", "200")]) {
            switch outcome.result {
            case .success(let value): print("\(outcome.name) is \(value) now")
            case .failure(let error): print("\(outcome.name) was not set: \(error)")
            }
        }
    }
}
