internal import CLinuxMedia
internal import FrameShare
internal import Glibc
public import PixelFormats
internal import SystemPackage

/// A V4L2 encoder: a memory-to-memory device that takes frames and gives packets, such as `/dev/video11` of a
/// Raspberry Pi 4. See the kernel's "Memory-to-Memory Stateful Video Encoder Interface",
/// <https://docs.kernel.org/userspace-api/media/v4l/dev-encoder.html>.
///
/// Each opening is an encoder of its own; the file is closed with the last reference.
public final class V4L2EncoderDevice: Sendable {
    /// The device file.
    public let path: String
    /// The driver's name: "bcm2835-codec", "vicodec".
    public let driver: String
    /// The device's name for people.
    public let card: String
    /// What it encodes to.
    public let codecs: [VideoCodec]
    /// V4L2's codes of the frames that it takes.
    let inputs: [FourCC]
    /// V4L2's codes of what it encodes to.
    let outputs: [FourCC]
    let isMultiPlanar: Bool
    let descriptor: Int32

    /// V4L2 calls what goes into a device its output.
    var inputType: UInt32 {
        (isMultiPlanar ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_OUTPUT).rawValue
    }
    var packetType: UInt32 {
        (isMultiPlanar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE).rawValue
    }

    /// Opens a device file and checks that it encodes.
    public init(path: String) throws(V4L2EncoderError) {
        var number: Int32
        repeat {
            number = open(PathText.cString(path), O_RDWR | O_NONBLOCK | O_CLOEXEC)
        } while number < 0 && errno == EINTR
        guard number >= 0 else {
            switch errno {
            case ENOENT, ENODEV, ENXIO, ENOTDIR: throw .noSuchDevice(path: path)
            case EACCES, EPERM: throw .notPermitted(path: path)
            case EBUSY: throw .busy(path: path, call: "open")
            default: throw .cannotOpen(path: path, Errno(rawValue: errno))
            }
        }
        var capability = v4l2_capability()
        let result = fs_v4l2_query_capability(number, &capability)
        let all = capability.capabilities
        let own = all & UInt32(V4L2_CAP_DEVICE_CAPS) != 0 ? capability.device_caps : all
        let isMultiPlanar = own & UInt32(bitPattern: V4L2_CAP_VIDEO_M2M_MPLANE) != 0
        var reason: String?
        if result != 0 {
            reason = "it is no V4L2 device"
        } else if !isMultiPlanar, own & UInt32(bitPattern: V4L2_CAP_VIDEO_M2M) == 0 {
            reason = "it does not go from memory to memory"
        } else if own & UInt32(bitPattern: V4L2_CAP_STREAMING) == 0 {
            reason = "its driver can't stream from memory"
        }
        let (input, packet) =
            isMultiPlanar
            ? (V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE)
            : (V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_BUF_TYPE_VIDEO_CAPTURE)
        let inputs = reason == nil ? Self.formats(number, input.rawValue) : []
        let outputs = reason == nil ? Self.formats(number, packet.rawValue) : []
        if reason == nil, inputs.contains(where: { $0.isCompressed }) {
            reason = "it takes compressed data, so it is a decoder"
        } else if reason == nil, !outputs.contains(where: { $0.isCompressed }) {
            reason = "it converts images"
        }
        if let reason {
            close(number)
            throw .notAnEncoder(path: path, reason: reason)
        }
        self.path = path
        self.isMultiPlanar = isMultiPlanar
        descriptor = number
        driver = Self.text(capability.driver)
        card = Self.text(capability.card)
        self.inputs = inputs.map { $0.code }
        self.outputs = outputs.filter { $0.isCompressed }.map { $0.code }
        var codecs: [VideoCodec] = []
        for case let codec? in self.outputs.map({ PixelFormat(v4l2: $0).flatMap { VideoCodec($0) } })
        where !codecs.contains(codec) { codecs.append(codec) }
        self.codecs = codecs
    }

    deinit { close(descriptor) }

    /// The encoders of this machine, in the order of their device numbers, and why others could not be looked at.
    public static func list() -> (encoders: [V4L2EncoderDevice], refused: [V4L2EncoderError]) {
        var (encoders, refused): ([V4L2EncoderDevice], [V4L2EncoderError]) = ([], [])
        // VIDEO_NUM_DEVICES of the kernel.
        for number in 0..<256 {
            do throws(V4L2EncoderError) {
                encoders.append(try V4L2EncoderDevice(path: "/dev/video\(number)"))
            } catch {
                switch error {
                case .noSuchDevice, .notAnEncoder: break
                default: refused.append(error)
                }
            }
        }
        return (encoders, refused)
    }

    /// Opens the first device that encodes to `codec` and takes such frames.
    public static func first(
        _ codec: VideoCodec,
        taking format: PixelFormat
    ) throws(V4L2EncoderError) -> V4L2EncoderDevice {
        let (encoders, refused) = list()
        let fitting = encoders.filter { $0.codecs.contains(codec) }
        guard let device = fitting.first(where: { $0.inputCode(format, buffers: 1) != nil }) ?? fitting.first else {
            throw .noEncoder(
                codec,
                found: encoders.map { "\($0.path) (\($0.outputs.map(\.description).joined(separator: ", ")))" },
                refused: refused.map(\.description)
            )
        }
        return device
    }

    /// V4L2's code for such frames, if the device takes them: with a buffer for each plane where they come so.
    func inputCode(_ format: PixelFormat, buffers: Int) -> FourCC? {
        let codes = [format.v4l2, format.v4l2MultiPlanar].compactMap(\.self).filter(inputs.contains)
        return buffers > 1 ? codes.last : codes.first
    }

    private static func formats(_ descriptor: Int32, _ type: UInt32) -> [(code: FourCC, isCompressed: Bool)] {
        var formats: [(FourCC, Bool)] = []
        var format = v4l2_fmtdesc()
        while formats.count < 256, fs_v4l2_enum_format(descriptor, type, UInt32(formats.count), &format) == 0 {
            let isCompressed = format.flags & UInt32(V4L2_FMT_FLAG_COMPRESSED) != 0
            formats.append((FourCC(rawValue: format.pixelformat), isCompressed))
        }
        return formats
    }

    private static func text<T: BitwiseCopyable>(_ bytes: T) -> String {
        withUnsafeBytes(of: bytes) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Runs a call until no signal interrupts it.
    /// - Returns: 0, or a negative errno value
    func raw(_ call: () -> Int32) -> Int32 {
        while true {
            let result = call()
            if result != -EINTR { return result }
        }
    }

    func run(_ name: String, _ value: @autoclosure () -> String = "", _ call: () -> Int32) throws(V4L2EncoderError) {
        let result = raw(call)
        guard result < 0 else { return }
        throw error(name, value(), -result)
    }

    func error(_ name: String, _ value: String, _ code: Int32) -> V4L2EncoderError {
        switch code {
        case ENODEV, ENXIO: .gone(path: path)
        case EBUSY: .busy(path: path, call: name)
        default: .call(name, path: path, value: value, Errno(rawValue: code))
        }
    }

    /// Asks for a format; returns what the driver makes of it.
    func setFormat(_ wanted: fs_v4l2_format) throws(V4L2EncoderError) -> fs_v4l2_format {
        var format = wanted
        let code = FourCC(rawValue: wanted.pixelformat)
        try run("VIDIOC_S_FMT", "\(wanted.width)x\(wanted.height) \(code)") {
            fs_v4l2_set_format(descriptor, false, &format)
        }
        return format
    }
}
