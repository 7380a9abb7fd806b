import FrameJSON
import FrameSources
import PixelFormats

extension DoctorCheck {
    /// A check for each video device, or one that says that there is none.
    static func cameras() -> [DoctorCheck] {
        let (cameras, refused) = V4L2Device.list()
        var checks = cameras.map(camera)
        checks += refused.map { device in
            DoctorCheck(
                name: device.path,
                state: .missing,
                detail: ["there, but not for this user"],
                remedy: "\(device.error)"
            )
        }
        if checks.isEmpty {
            checks.append(
                DoctorCheck(
                    name: "cameras",
                    state: .note,
                    detail: ["no video device"],
                    remedy: "plug one in; without one, 'frameshare publish' shares a test pattern"
                )
            )
        }
        return checks
    }

    private static func camera(_ info: V4L2DeviceInfo) -> DoctorCheck {
        var check = DoctorCheck(name: info.path, state: .ok, detail: ["\(info.card) (\(info.driver), \(info.bus))"])
        if info.needsMediaController {
            check.state = .note
            check.remedy = "its sensor is set up through the media controller: use libcamera"
        }
        guard let device = try? V4L2Device(path: info.path), let formats = try? device.formats() else {
            check.state = .missing
            check.detail.append("it can't be asked for its formats")
            check.remedy = "'dmesg' may say why"
            return check
        }
        let codes = formats.map { "\($0.code)" }
        let more = codes.count > 12 ? " and \(codes.count - 12) more: 'frameshare cameras \(info.path)'" : ""
        check.detail.append("formats: " + codes.prefix(12).joined(separator: " ") + more)
        if !info.needsMediaController { addSharing(device, to: &check) }
        return check
    }

    /// Whether its buffers can be shared, and readers be kept from writing to them: found out by allocating two, in the
    /// format that is set.
    private static func addSharing(_ device: V4L2Device, to check: inout DoctorCheck) {
        do throws(V4L2Error) {
            let camera = try V4L2Camera(device: device, configuration: .init(slots: 2))
            check.detail.append("shares its own buffers; \(camera.setup.writeProtection.explanation)")
            try camera.release()
        } catch .busy(_, _, let holders) {
            check.detail.append("in use by \(holders.isEmpty ? "another program" : holders.joined(separator: ", "))")
        } catch {
            check.state = .note
            check.detail.append("can't share its own buffers: \(error)")
        }
    }
}
