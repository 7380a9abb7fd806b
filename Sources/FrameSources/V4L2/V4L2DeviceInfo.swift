internal import CLinuxMedia

/// Who a V4L2 device is: `VIDIOC_QUERYCAP`.
public struct V4L2DeviceInfo: Sendable, Hashable {
    /// The device file, such as `/dev/video0`. Numbers may change when devices are plugged in again.
    public let path: String

    /// The driver's name: "uvcvideo", "vivid".
    public let driver: String

    /// The device's name for people: "HD Pro Webcam C920".
    public let card: String

    /// Where the device is: "usb-0000:00:14.0-1". The same as long as it is plugged into the same place.
    public let bus: String

    /// The driver's version, usually the kernel's.
    public let version: String

    /// `V4L2_CAP_*` of this node.
    public let capabilities: UInt32

    init(path: String, _ capability: v4l2_capability) {
        self.path = path
        driver = cString(capability.driver)
        card = cString(capability.card)
        bus = cString(capability.bus_info)
        let number = capability.version
        version = "\(number >> 16).\(number >> 8 & 0xff).\(number & 0xff)"
        capabilities =
            capability.capabilities & UInt32(V4L2_CAP_DEVICE_CAPS) != 0
            ? capability.device_caps : capability.capabilities
    }

    private func has(_ bits: Int32...) -> Bool {
        bits.contains { capabilities & UInt32(bitPattern: $0) != 0 }
    }

    /// Whether the device uses V4L2's multi-planar calls, in which an image's planes may have a buffer each.
    public var isMultiPlanar: Bool {
        has(V4L2_CAP_VIDEO_CAPTURE_MPLANE) && !has(V4L2_CAP_VIDEO_CAPTURE)
    }

    /// Whether the sensor, lens and links behind the node are set up by the media controller's API
    /// (`V4L2_CAP_IO_MC`), as on a Raspberry Pi. libcamera does that; the node alone gives no picture.
    public var needsMediaController: Bool { has(V4L2_CAP_IO_MC) }

    /// Whether it captures images into memory.
    public var isCamera: Bool { whyNoCamera == nil }

    /// What it is if it isn't a camera.
    var whyNoCamera: String? {
        if has(V4L2_CAP_VIDEO_M2M, V4L2_CAP_VIDEO_M2M_MPLANE) { return "it is a codec or converter (memory to memory)" }
        guard has(V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE_MPLANE) else {
            if has(V4L2_CAP_META_CAPTURE, V4L2_CAP_META_OUTPUT) { return "it gives metadata, not images" }
            if has(V4L2_CAP_VIDEO_OUTPUT, V4L2_CAP_VIDEO_OUTPUT_MPLANE) { return "it is an output" }
            return "it does not capture video"
        }
        return has(V4L2_CAP_STREAMING) ? nil : "its driver can't stream into memory"
    }
}

/// The text in a C array of bytes: up to the first 0.
func cString<T: BitwiseCopyable>(_ bytes: T) -> String {
    withUnsafeBytes(of: bytes) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
