public import FrameShare

extension V4L2Capture: ControllableSource {
    /// The camera's controls but for those that can't be given as one value.
    public func listControls() throws(ControlError) -> [CameraControl] {
        let device = try controlDevice()
        do throws(V4L2Error) {
            return try device.controls().filter { $0.kind != .compound }.map { control in
                CameraControl(control, value: control.kind == .button ? nil : try? device.value(of: control))
            }
        } catch {
            throw ControlError(error)
        }
    }

    private func controlDevice() throws(ControlError) -> V4L2Device {
        do throws(V4L2Error) {
            if let device = try deviceForControls() { return device }
        } catch {
            throw ControlError(error)
        }
        throw .sourceGone
    }

    /// Sets a control by the driver's name or its `v4l2-ctl` name. It stays as it is through reconfigurations, and when
    /// the camera comes back.
    public func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
        let device = try controlDevice()
        do throws(V4L2Error) {
            let control = try device.control(named: setting.name)
            let value = try device.set(control, to: .text(setting.value))
            if control.kind != .button { keep(V4L2ControlSetting(control.key, value)) }
            return control.kind == .button ? "done" : value.text
        } catch {
            throw ControlError(error)
        }
    }
}

extension ControlError {
    fileprivate init(_ error: V4L2Error) { self = error.isUnplugged ? .sourceGone : .refused(error.description) }
}

extension CameraControl {
    fileprivate init(_ control: V4L2Control, value: V4L2ControlValue?) {
        let kind: Kind =
            switch control.kind {
            case .integer: .integer
            case .boolean: .boolean
            case .menu: .menu
            case .bitmask: .bitmask
            case .button: .button
            case .text: .text
            case .compound: .other
            }
        let isNumber = kind == .integer || kind == .bitmask
        let standard =
            switch control.kind {
            case .boolean: control.defaultValue == 0 ? "false" : "true"
            case .integer, .menu, .bitmask: "\(control.defaultValue)"
            case .button, .text, .compound: ""
            }
        self.init(
            name: control.key,
            label: control.name,
            kind: kind,
            minimum: isNumber ? "\(control.range.lowerBound)" : "",
            maximum: isNumber ? "\(control.range.upperBound)" : "",
            standard: standard,
            value: value?.text,
            items: control.items.map { Item(value: "\($0.index)", name: $0.text) },
            isReadOnly: control.isReadOnly,
            isInactive: control.isInactive
        )
    }
}
