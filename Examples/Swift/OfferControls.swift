// Offers a control, as a camera does. Other programs read it and set it: SetControl, 'frameshare control'.
//
//   swift run --package-path Examples OfferControls [CHANNEL]

import FrameShare
import Glibc
import Synchronization

@main
enum OfferControls {
    static func main() async {
        do {
            try await run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("OfferControls: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    /// A source with one control. Its frames are as bright as the control says.
    final class Lamp: ControllableSource {
        let brightness = Atomic(64)

        func listControls() -> [CameraControl] {
            var control = CameraControl(name: "Brightness", kind: .integer, minimum: "0", maximum: "255")
            control.standard = "64"
            control.value = String(brightness.load(ordering: .relaxed))
            return [control]
        }

        func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
            guard setting.name == "Brightness", let value = UInt8(setting.value) else {
                throw .refused("Brightness is a number from 0 to 255")
            }
            brightness.store(Int(value), ordering: .relaxed)
            return setting.value
        }
    }

    static func run(channel: String) async throws {
        let layout = try ImageLayout.computed(width: 64, height: 48, format: .r8)
        let publisher = try Publisher(channel: channel, streams: ["main": layout], slots: 4)
        let lamp = Lamp()
        // A thread of the publisher's calls the source. The publisher does not keep the source alive.
        try publisher.offerControls(of: lamp)
        for _ in 0..<300 {
            let slot = try await publisher.nextSlot()
            let grey = UInt8(lamp.brightness.load(ordering: .relaxed))
            slot["main"].withMutableRows { rows in
                for y in 0..<rows.count {
                    var row = rows[y]
                    for x in row.indices { row[x] = grey }
                }
            }
            try publisher.publish(slot)
            try await Task.sleep(for: .milliseconds(33))
        }
        publisher.close()
    }
}
