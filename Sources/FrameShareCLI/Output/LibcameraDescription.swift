import FrameCommand
import FrameJSON
import FrameShare
import FrameSources
import Glibc

/// All that a camera of libcamera's says of itself.
struct LibcameraDescription {
    let info: LibcameraInfo

    /// Those that are there; none where this build is without libcamera, or it does not start.
    static func all() -> [LibcameraDescription] {
        setenv("LIBCAMERA_LOG_LEVELS", "*:WARN", 0)
        guard let system = try? LibcameraSystem() else { return [] }
        return system.cameras.map(LibcameraDescription.init)
    }

    var lines: [StyledText] {
        [StyledText("libcamera:\(info.id)", .bold) + "  \(info.model ?? "unknown model")"]
            + info.properties.filter { $0.key != "Model" }.map { "  \($0.key): \($0.value)" }
            + info.controls.map { "  --control \($0.name)=\($0.standard)  \($0.minimum) to \($0.maximum)" }
    }

    var json: JSONValue {
        .object([
            "path": .string("libcamera:\(info.id)"), "card": info.model.map(JSONValue.string),
            "driver": .string("libcamera \(LibcameraSystem.version ?? "")"),
            "properties": .object(info.properties.map { .init(key: $0.key, value: .string("\($0.value)")) }),
            "controls": .array(
                info.controls.map { control in
                    .object([
                        "name": .string(control.name), "minimum": .string(control.minimum),
                        "maximum": .string(control.maximum), "default": .string(control.standard),
                    ])
                }
            ),
        ])
    }
}
