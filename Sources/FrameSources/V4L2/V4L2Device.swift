internal import CLinuxMedia
internal import FrameShare
internal import Glibc
internal import SystemPackage

/// An open V4L2 capture device: its ioctls with Swift's types, nothing more. See the kernel's
/// "Video for Linux API", <https://docs.kernel.org/userspace-api/media/v4l/v4l2.html>.
///
/// It is opened non-blocking: waiting is `poll(2)` on ``descriptor``. Any thread may call it at any time, the driver
/// puts calls in order; only who streams must not do so from two threads at once. The file is closed with the last
/// reference.
public final class V4L2Device: Sendable {
    /// Who the device is.
    public let info: V4L2DeviceInfo

    /// The open file, for `poll(2)`: readable when a frame is ready, `POLLPRI` when an event is.
    public let descriptor: Int32

    /// The device file.
    public var path: String { info.path }

    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE` or its multi-planar sibling.
    let bufferType: UInt32

    /// Opens a device file and checks that it captures images by streaming.
    ///
    /// - Throws: ``V4L2Error/noSuchDevice(path:)``, ``V4L2Error/notPermitted(path:group:)``,
    ///   ``V4L2Error/notACamera(path:reason:)``, ``V4L2Error/cannotOpen(path:_:)``,
    ///   ``V4L2Error/busy(path:call:holders:)`` where the driver admits only one program.
    public init(path: String) throws(V4L2Error) {
        var number: Int32
        repeat {
            number = open(PathText.cString(path), O_RDWR | O_NONBLOCK | O_CLOEXEC)
        } while number < 0 && errno == EINTR
        guard number >= 0 else { throw Self.openError(path, errno) }
        do throws(V4L2Error) {
            let info = try Self.readInfo(number, path)
            if let reason = info.whyNoCamera { throw .notACamera(path: path, reason: reason) }
            self.info = info
            descriptor = number
            let type = info.isMultiPlanar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE
            bufferType = type.rawValue
        } catch {
            close(number)
            throw error
        }
    }

    deinit {
        close(descriptor)
    }

    /// `VIDIOC_QUERYCAP` on a file that is open.
    private static func readInfo(_ number: Int32, _ path: String) throws(V4L2Error) -> V4L2DeviceInfo {
        var capability = v4l2_capability()
        let result = fs_v4l2_query_capability(number, &capability)
        guard result == 0 else {
            if result == -ENOTTY || result == -EINVAL {
                throw .notACamera(path: path, reason: "it is no V4L2 device")
            }
            if result == -ENODEV { throw .noSuchDevice(path: path) }
            throw .call("VIDIOC_QUERYCAP", path: path, value: "", Errno(rawValue: -result))
        }
        return V4L2DeviceInfo(path: path, capability)
    }

    private static func openError(_ path: String, _ code: Int32) -> V4L2Error {
        switch code {
        case ENOENT, ENODEV, ENXIO, ENOTDIR: .noSuchDevice(path: path)
        case EACCES, EPERM: .notPermitted(path: path, group: DeviceFile.owningGroup(of: path))
        case EBUSY: .busy(path: path, call: "open", holders: DeviceFile.holders(of: path))
        default: .cannotOpen(path: path, Errno(rawValue: code))
        }
    }

    /// Runs an ioctl until no signal interrupts it.
    ///
    /// - Returns: 0 or what `call` returned, a negative errno value in case of an error.
    func raw(_ call: () -> Int32) -> Int32 {
        while true {
            let result = call()
            if result != -EINTR { return result }
        }
    }

    /// Runs an ioctl; an error is thrown with the call's name and the value it had.
    @discardableResult
    func ioctl(
        _ name: StaticString,
        _ value: @autoclosure () -> String = "",
        _ call: () -> Int32
    ) throws(V4L2Error) -> Int32 {
        let result = raw(call)
        guard result < 0 else { return result }
        throw error(name, value(), -result)
    }

    /// The error for an errno value that a call gave.
    func error(_ name: StaticString, _ value: String, _ code: Int32) -> V4L2Error {
        switch code {
        case ENODEV, ENXIO: .unplugged(path: path, card: info.card)
        case EBUSY: .busy(path: path, call: "\(name)", holders: DeviceFile.holders(of: path))
        default: .call("\(name)", path: path, value: value, Errno(rawValue: code))
        }
    }
}
