public import FrameShare

extension LibcameraCapture: ControllableSource {
    /// The camera's controls, from libcamera's own table. It doesn't tell what they are set to: those that were set are told
    /// with their setting; what the camera makes of it, and of all others, is in each frame's metadata.
    public func listControls() throws(ControlError) -> [CameraControl] {
        guard let info = system.info(of: camera.id) else { throw .sourceGone }
        let settings = camera.configuration.controls + liveControls
        return info.controls.map { control in
            CameraControl(
                name: control.name,
                kind: control.kind,
                minimum: control.minimum,
                maximum: control.maximum,
                standard: control.standard,
                value: settings.last { $0.name == control.name }?.value
            )
        }
    }

    /// Sets a control by libcamera's name, with the next request. It stays as it is through reconfigurations.
    public func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
        // The camera gets it at its next start.
        if isAsleep {
            guard let known = system.info(of: camera.id)?.controls else { throw .sourceGone }
            guard known.contains(where: { $0.name == setting.name }) else {
                let error = LibcameraError.noSuchControl(id: camera.id, name: setting.name, known: known.map(\.name))
                throw .refused(error.description)
            }
            keep(setting)
            return setting.value
        }
        do throws(LibcameraError) {
            try camera.set(setting.name, to: setting.value)
            keep(setting)
            return setting.value
        } catch {
            switch error {
            case .unplugged: throw .sourceGone
            default: throw .refused(error.description)
            }
        }
    }
}
