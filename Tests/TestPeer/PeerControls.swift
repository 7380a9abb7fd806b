internal import FrameShare
internal import Synchronization

/// A source's controls, one of each kind that people meet; while the exposure is automatic its time can't be set.
final class PeerControls: ControllableSource {
    private let values = Mutex(["brightness": "128", "auto": "true", "time": "8000", "pattern": "1", "focused": "0"])

    func listControls() throws(ControlError) -> [CameraControl] {
        let values = values.withLock { $0 }
        return [
            CameraControl(
                name: "brightness",
                label: "Brightness",
                kind: .integer,
                minimum: "0",
                maximum: "255",
                standard: "128",
                value: values["brightness"]
            ),
            CameraControl(name: "auto", label: "Automatic exposure", kind: .boolean, value: values["auto"]),
            CameraControl(
                name: "time",
                label: "Exposure time",
                kind: .integer,
                minimum: "100",
                maximum: "33000",
                value: values["time"],
                isInactive: values["auto"] == "true"
            ),
            CameraControl(
                name: "pattern",
                label: "Pattern",
                kind: .menu,
                value: values["pattern"],
                items: [.init(value: "0", name: "bars"), .init(value: "1", name: "grey")]
            ),
            CameraControl(name: "focus", label: "Focus once", kind: .button),
            CameraControl(
                name: "focused",
                label: "Times focused",
                kind: .integer,
                value: values["focused"],
                isReadOnly: true
            ),
        ]
    }

    /// Even brightnesses alone, as a driver that rounds.
    func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
        var value = setting.value
        switch setting.name {
        case "brightness":
            guard let level = Int(value), (0...255).contains(level) else {
                throw .refused("'\(value)' is not 0 to 255")
            }
            value = "\(level / 2 * 2)"
        case "auto", "time", "pattern": break
        case "focus":
            values.withLock { $0["focused"] = "\((Int($0["focused"] ?? "") ?? 0) + 1)" }
            return value
        default: throw .refused("there is no control '\(setting.name)'")
        }
        values.withLock { [value] in $0[setting.name] = value }
        return value
    }
}
