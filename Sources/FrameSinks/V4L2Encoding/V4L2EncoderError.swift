public import FrameMemory
public import PixelFormats
public import SystemPackage

/// What can go wrong with a V4L2 encoder. The text says what failed, on which device and with which value, and what to do.
public enum V4L2EncoderError: Error, Sendable, Equatable {
    case noSuchDevice(path: String)
    /// The device file's permissions keep this user out.
    case notPermitted(path: String)
    case cannotOpen(path: String, Errno)
    /// It is no device that encodes; `reason` says what it is.
    case notAnEncoder(path: String, reason: String)
    /// Another program has it (`EBUSY`).
    case busy(path: String, call: String)
    /// No device here encodes to this; `found` are the encoders there are, `refused` what could not be looked at.
    case noEncoder(VideoCodec, found: [String], refused: [String])
    /// This device encodes to other things.
    case codecNotOffered(path: String, VideoCodec, offered: [String])
    /// The device takes frames of other formats.
    case formatNotTaken(path: String, PixelFormat, taken: [String])
    /// The device encodes another size than the frames have.
    case sizeNotPossible(path: String, width: Int, height: Int, offered: String)
    /// The driver has no control for what was asked.
    case notAdjustable(path: String, what: String)
    /// The driver's control has another range.
    case outOfRange(path: String, what: String, value: Int, allowed: ClosedRange<Int>)
    /// The driver describes an image or a buffer that contradicts itself.
    case contradiction(path: String, String)
    case memory(path: String, MemoryError)
    /// Nothing came back for so long.
    case noAnswer(path: String, seconds: Int)
    /// The device is gone.
    case gone(path: String)
    /// Another call failed, with the value it was given.
    case call(String, path: String, value: String, Errno)

    /// Whether the error may pass: the same device may go on, at once or once its queues were restarted.
    var mayPass: Bool {
        switch self {
        case .busy(_, let call), .call(let call, _, _, _):
            Self.streamingCalls.contains(call)
        default: false
        }
    }

    private static let streamingCalls: Set<String> = [
        "VIDIOC_QBUF", "VIDIOC_DQBUF", "VIDIOC_STREAMON", "VIDIOC_STREAMOFF",
    ]
}

extension V4L2EncoderError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noSuchDevice(let path): "there is no \(path); leave it out to take the first V4L2 encoder that fits"
        case .notPermitted(let path):
            "\(path) may not be opened by this user; 'ls -l \(path)' shows who may (mostly the group 'video')"
        case .cannotOpen(let path, let errno): "\(path) can't be opened: \(errno)"
        case .notAnEncoder(let path, let reason): "\(path) is no encoder: \(reason)"
        case .busy(let path, let call): "\(path) is in use by another program (\(call)); end that first"
        case .noEncoder(let codec, let found, let refused):
            "no V4L2 device here encodes \(codec.rawValue); "
                + (found.isEmpty ? "there is no encoder" : "there is \(found.joined(separator: ", "))")
                + (refused.isEmpty ? "" : "; not looked at: \(refused.joined(separator: "; "))")
        case .codecNotOffered(let path, let codec, let offered):
            "\(path) does not encode \(codec.rawValue), but \(offered.joined(separator: ", "))"
        case .formatNotTaken(let path, let format, let taken):
            "\(path) takes no frames of format \(format); publish one of \(taken.joined(separator: ", "))"
        case .sizeNotPossible(let path, let width, let height, let offered):
            "\(path) can't encode \(width)x\(height), only \(offered); cut the frames with 'frameshare relay --crop'"
        case .notAdjustable(let path, let what): "the driver of \(path) has no control for \(what); leave it out"
        case .outOfRange(let path, let what, let value, let allowed):
            "\(what) \(value) is not possible at \(path): \(allowed.lowerBound) to \(allowed.upperBound)"
        case .contradiction(let path, let text): "the driver of \(path) contradicts itself: \(text)"
        case .memory(let path, let error): "buffers of \(path): \(error)"
        case .noAnswer(let path, let seconds): "\(path) has encoded nothing for \(seconds) s; 'dmesg' may say why"
        case .gone(let path): "\(path) is gone: unplugged, or its driver was removed"
        case .call(let call, let path, let value, let errno):
            "\(call) failed on \(path)\(value.isEmpty ? "" : " (\(value))"): \(errno)"
        }
    }
}
