import ArgumentParser
import FrameCommand
import FrameJSON
import FrameSources

/// `frameshare cameras`
struct Cameras: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the cameras: V4L2 with inputs, formats, sizes, rates and controls, and libcamera's.",
        discussion: """
            What 'frameshare publish' takes for --source, --input, --format, --size, --rate and --control. Looking is possible \
            while another program uses the camera.

            Examples:
              frameshare cameras
              frameshare cameras /dev/video0
              frameshare cameras --json | jq -r '.[].path'

            Exit code 0, also when there is none; 1 when the device that was named can't be looked at.
            """
    )

    @Argument(help: "Only this device.")
    var device: String?

    @Flag(help: "Print one JSON array.")
    var json = false

    func run() throws {
        var cameras: [CameraDescription]
        var refused: [V4L2RefusedDevice] = []
        if let device {
            cameras = [try CameraDescription(V4L2Device(path: device))]
        } else {
            let list = V4L2Device.list()
            refused = list.refused
            cameras = list.cameras.compactMap { info in
                // Unplugged since, or not to be had: then it is no camera for anyone now.
                (try? V4L2Device(path: info.path)).flatMap { try? CameraDescription($0) }
            }
        }
        let terminal = Terminal.output
        let others = device == nil ? LibcameraDescription.all() : []
        if json {
            terminal.writeLine(JSONValue.array(cameras.map(\.json) + others.map(\.json)).text)
            return
        }
        for camera in cameras {
            for line in camera.lines { terminal.writeLine(line) }
        }
        for camera in others {
            for line in camera.lines { terminal.writeLine(line) }
        }
        for device in refused { terminal.writeLine(StyledText("\(device.error)", .yellow)) }
        if cameras.isEmpty, refused.isEmpty, others.isEmpty {
            terminal.writeLine(
                "no cameras. Plug one in, or do without: 'frameshare publish' shares a test pattern"
                    + (LibcameraSystem.version == nil
                        ? ". Raspberry Pi camera modules need libcamera, which this build is without" : "")
            )
        }
    }
}
