/// A video device that could not be looked at.
public struct V4L2RefusedDevice: Sendable, Equatable {
    /// The device file.
    public let path: String
    /// Why not: usually ``V4L2Error/notPermitted(path:group:)``.
    public let error: V4L2Error
}

extension V4L2Device {
    /// The cameras of this machine, in the order of their device numbers, and the devices that could not be asked.
    ///
    /// Codecs, outputs and the metadata nodes of webcams are left out. A camera that is in use is listed: looking is
    /// allowed while another program streams.
    public static func list() -> (cameras: [V4L2DeviceInfo], refused: [V4L2RefusedDevice]) {
        var cameras: [V4L2DeviceInfo] = []
        var refused: [V4L2RefusedDevice] = []
        for path in DeviceFile.videoDevices() {
            do throws(V4L2Error) {
                cameras.append(try V4L2Device(path: path).info)
            } catch {
                switch error {
                case .notACamera, .noSuchDevice: break
                default: refused.append(V4L2RefusedDevice(path: path, error: error))
                }
            }
        }
        return (cameras, refused)
    }

    /// Finds the camera with the same driver, name and place on the bus (``V4L2DeviceInfo/bus``), though its device file
    /// may have another number now. Nil if there is none.
    public static func find(sameAs info: V4L2DeviceInfo) -> V4L2DeviceInfo? {
        // One camera may have several nodes.
        let candidates = list().cameras.filter {
            $0.driver == info.driver && $0.card == info.card && $0.bus == info.bus
        }
        return candidates.first { $0.path == info.path } ?? candidates.first
    }
}
