public import FrameMemory
public import PixelFormats
public import SystemPackage

/// What can go wrong with a V4L2 camera. The text says what failed, on which device and with which value, and what to do.
public enum V4L2Error: Error, Sendable, Equatable {
    // Finding and opening

    /// There is no such device file.
    case noSuchDevice(path: String)
    /// The device file's permissions keep this user out. `group` is the one whose members may read and write it, if there is
    /// one that this user isn't in.
    case notPermitted(path: String, group: String?)
    /// The file can't be opened for another reason.
    case cannotOpen(path: String, Errno)
    /// It isn't a device that streams images to memory; `reason` says what it is.
    case notACamera(path: String, reason: String)
    /// Another program streams from the device, or holds its buffers (`EBUSY`). `holders`: those whom this user may see.
    case busy(path: String, call: String, holders: [String])

    // Configuring

    /// The device has no such input; `inputs` are the names of those it has, in order.
    case noSuchInput(path: String, input: String, inputs: [String])
    /// The device doesn't offer the format; `offered` are those it does.
    case formatNotOffered(path: String, asked: PixelFormat, offered: [PixelFormat])
    /// V4L2's code means a format that isn't known here, and is the DRM code of another, with which it would be confused.
    case ambiguousFormat(path: String, code: FourCC)
    /// The rate isn't above 0 and at most 1000000 frames a second.
    case badRate(path: String, Double)
    /// The driver gives something other than was asked, and ``V4L2CameraConfiguration/exact`` was set.
    case adjusted(path: String, [V4L2Adjustment])
    /// The driver describes an image that contradicts itself.
    case layout(path: String, ImageLayoutError)

    // Buffers

    /// The number of buffers isn't 1 to 32.
    case badBufferCount(Int)
    /// The driver makes fewer buffers than were asked for.
    case tooFewBuffers(path: String, asked: Int, given: Int)
    /// The driver can't hand its buffers to other processes. `imports`: whether it takes buffers made elsewhere.
    case cannotExport(path: String, Errno, imports: Bool)
    /// The driver takes no buffers made elsewhere, or not this kind. `exports`: whether it shares its own.
    case cannotImport(path: String, source: String, Errno, exports: Bool)
    /// The memory asked for can't be imported by a driver: a memfd isn't a DMA buffer.
    case notADMABuffer(path: String, source: String)
    /// Memory for the buffers could not be had.
    case memory(MemoryError)
    /// There is no buffer with that number, or it is already queued.
    case badBuffer(path: String, index: Int)
    /// The driver put the pixels `offset` bytes into the buffer, which is not where it had said.
    case unexpectedDataOffset(path: String, plane: Int, offset: Int)

    // Streaming

    /// The device is gone: unplugged, or its driver removed.
    case unplugged(path: String, card: String)
    /// The source's resolution or format changed; the camera must be configured anew.
    case sourceChanged(path: String)
    /// The driver gave up streaming.
    case streamFailed(path: String, call: String, Errno)
    /// No frame came for so long.
    case noFrames(path: String, seconds: Double)
    /// The camera has not been started, or was stopped.
    case notStreaming(path: String)

    // Controls

    /// The device has no such control; `known` are the names of those it has.
    case noSuchControl(path: String, name: String, known: [String])
    /// The control can't be set or read: it is read-only, write-only, inactive or in use.
    case controlNotAvailable(path: String, name: String, reason: String)
    /// The value doesn't fit the control; `allowed` says what does.
    case badControlValue(path: String, name: String, value: String, allowed: String)

    /// Another ioctl failed, with the value it was given.
    case call(String, path: String, value: String, Errno)
}

extension V4L2Error: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noSuchDevice(let path):
            "there is no \(path); 'frameshare doctor' lists the video devices of this machine"
        case .notPermitted(let path, let group?):
            "\(path) may be opened by group '\(group)' only: 'sudo usermod -aG \(group) $USER', then log in again"
        case .notPermitted(let path, nil):
            "\(path) may not be opened by this user to read and write; 'ls -l \(path)' shows who may. A udev rule with "
                + "GROUP and MODE=\"0660\" lets a group in"
        case .cannotOpen(let path, let errno):
            "\(path) can't be opened: \(errno)"
        case .notACamera(let path, let reason):
            "\(path) is no camera to stream from: \(reason)"
        case .busy(let path, let call, let holders):
            "\(path) is in use by \(holders.isEmpty ? "another program" : holders.joined(separator: ", ")) (\(call)); "
                + "end that program, or subscribe to its channel if it is a FrameShare publisher"
        case .noSuchInput(let path, let input, let inputs):
            "\(path) has no input \(input); it has \(Self.list(inputs.enumerated().map { "\($0) (\($1))" }))"
        case .formatNotOffered(let path, let asked, let offered):
            "\(path) does not give \(asked); it gives \(Self.list(offered.map(\.name)))"
        case .ambiguousFormat(let path, let code):
            "\(path) gives the V4L2 format '\(code)', which is not known here and means something else elsewhere; "
                + "choose another format"
        case .badRate(let path, let rate):
            "\(path) can't give \(rate) frames a second; ask for more than 0 and at most 1000000, or leave the rate to it"
        case .adjusted(let path, let adjustments):
            "\(path) can't do exactly what was asked: \(Self.list(adjustments.map(\.description)))"
        case .layout(let path, let error):
            "the driver of \(path) describes an impossible image: \(error)"
        case .badBufferCount(let count):
            "\(count) buffers are not possible; ask for 1 to 32"
        case .tooFewBuffers(let path, let asked, let given):
            "the driver of \(path) makes \(given) buffers, \(asked) were asked for; ask for fewer slots"
        case .cannotExport(let path, let errno, let imports):
            "the driver of \(path) can't share its buffers (VIDIOC_EXPBUF: \(errno)); "
                + (imports
                    ? "it takes others': --memory heap, or --memory udmabuf; 'frameshare doctor' shows which this machine has"
                    : "it takes no others' either, so its frames can't be shared in place")
        case .cannotImport(let path, let source, let errno, let exports):
            "the driver of \(path) does not take buffers from \(source) (\(errno)); "
                + (exports
                    ? "it shares its own: --memory driver"
                    : "try another kind that 'frameshare doctor' shows; it can't share its own either")
        case .notADMABuffer(let path, let source):
            "\(path) can't fill \(source): only a DMA heap's buffers or a udmabuf can be imported by a driver; "
                + "'frameshare doctor' shows which this machine has"
        case .memory(let error):
            "\(error)"
        case .badBuffer(let path, let index):
            "buffer \(index) of \(path) is not there or not free to be queued"
        case .unexpectedDataOffset(let path, let plane, let offset):
            "the driver of \(path) left \(offset) bytes before plane \(plane), otherwise than it had said; "
                + "choose another format"
        case .unplugged(let path, let card):
            "the camera '\(card)' (\(path)) is gone: unplugged, or its driver was removed"
        case .sourceChanged(let path):
            "the picture that \(path) receives has changed its size or format; configure the camera again"
        case .streamFailed(let path, let call, let errno):
            "\(path) stopped giving frames (\(call): \(errno)); plug it in again, or see 'dmesg' for its driver's reason"
        case .noFrames(let path, let seconds):
            "\(path) gave no frame for \(seconds) s; check its cable and its input's signal"
        case .notStreaming(let path):
            "\(path) is not streaming; start the camera first"
        case .noSuchControl(let path, let name, let known):
            "\(path) has no control '\(name)'; it has \(Self.list(known))"
        case .controlNotAvailable(let path, let name, let reason):
            "control '\(name)' of \(path) \(reason)"
        case .badControlValue(let path, let name, let value, let allowed):
            "control '\(name)' of \(path) can't be \(value); it takes \(allowed)"
        case .call("VIDIOC_STREAMON", let path, _, .noSpace):
            "\(path) can't stream: its bus has no bandwidth left (VIDIOC_STREAMON: \(Errno.noSpace)). With USB, ask for a smaller "
                + "size, a lower rate or a compressed format (--format MJPEG), or plug the camera into another USB controller"
        case .call("VIDIOC_STREAMON", let path, _, .brokenPipe):
            "\(path) can't stream: what feeds it gives another size or format (VIDIOC_STREAMON: \(Errno.brokenPipe)); its "
                + "pipeline is set up through the media controller, which libcamera does: --source libcamera"
        case .call(let call, let path, let value, let errno):
            "\(call) failed on \(path)\(value.isEmpty ? "" : " (\(value))"): \(errno)"
        }
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "none" : names.joined(separator: ", ")
    }

    /// Whether the error may pass: the same device may go on, at once or once its stream was restarted.
    public var mayPass: Bool {
        switch self {
        case .streamFailed, .noFrames, .badBuffer, .cannotImport: true
        // No bandwidth (USB) or no power: it takes another device to change that.
        case .call("VIDIOC_STREAMON", _, _, .noSpace): false
        case .busy(_, let call, _): call == "VIDIOC_QBUF" || call == "VIDIOC_DQBUF"
        case .call(let call, _, _, _): Self.streamingCalls.contains(call)
        default: false
        }
    }

    private static let streamingCalls: Set<String> = [
        "VIDIOC_QBUF", "VIDIOC_DQBUF", "VIDIOC_QUERYBUF", "VIDIOC_REQBUFS", "VIDIOC_STREAMON", "VIDIOC_STREAMOFF",
        "VIDIOC_DQEVENT",
    ]

    /// Whether another program, or another device on the same bus, is in the way, so that the error lasts as long as that.
    var isInTheWay: Bool {
        switch self {
        case .busy, .call("VIDIOC_STREAMON", _, _, .noSpace): true
        default: false
        }
    }

    /// Whether the camera merely says nothing.
    var isSilence: Bool { if case .noFrames = self { true } else { false } }

    /// Whether the device itself is gone, so that it may come back.
    public var isUnplugged: Bool {
        switch self {
        case .unplugged, .noSuchDevice: true
        default: false
        }
    }
}
