public import FrameMemory
public import PixelFormats
public import SystemPackage

/// What can go wrong with a camera of libcamera's. The text says what failed, on which camera and with which value, and
/// what to do.
public enum LibcameraError: Error, Sendable, Equatable {
    /// This build is without libcamera.
    case notBuiltIn
    /// libcamera's camera manager does not start.
    case cannotStart(Errno)
    /// libcamera finds no camera.
    case noCamera
    /// There is no such camera; `known` are the ids of those there are.
    case noSuchCamera(id: String, known: [String])
    /// Another program has the camera.
    case busy(id: String)
    /// The camera's device files may not be opened by this user, or it can't be acquired for another reason.
    case cannotAcquire(id: String, Errno)
    /// Not 1 to 4 streams, or a name twice.
    case badStreams(String)
    /// The camera can't do what was asked, nor anything near.
    case cannotConfigure(id: String, reason: String, Errno)
    /// The camera gives something other than was asked, and ``LibcameraConfiguration/exact`` was set.
    case adjusted(id: String, [LibcameraAdjustment])
    /// libcamera describes an image that contradicts itself.
    case layout(stream: String, ImageLayoutError)
    /// The driver makes fewer buffers than any channel needs.
    case tooFewBuffers(id: String, given: Int)
    /// A call on the camera failed.
    case call(String, id: String, Errno)
    /// The memory could not be had, or is not safe to share.
    case memory(MemoryError)
    /// The camera has no such control; `known` are the names of those it has.
    case noSuchControl(id: String, name: String, known: [String])
    /// The value is none of the control's.
    case badControlValue(name: String, value: String, reason: String)
    /// The camera has gone: unplugged, or its driver removed.
    case unplugged(id: String)
    /// No frame came for so long.
    case noFrames(id: String, seconds: Double)
}

extension LibcameraError {
    /// Whether the error may pass: the same camera may go on once it was started again.
    var mayPass: Bool {
        switch self {
        case .call, .noFrames: true
        default: false
        }
    }

    /// Whether the camera merely says nothing.
    var isSilence: Bool { if case .noFrames = self { true } else { false } }
}

extension LibcameraError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notBuiltIn:
            "this build is without libcamera; install libcamera-dev (0.3 or later; Debian 12 has it in its backports)"
                + " and build with 'make build LIBCAMERA=yes', or --traits Libcamera"
        case .cannotStart(let errno): "libcamera does not start: \(errno)"
        case .noCamera:
            "libcamera finds no camera; is it plugged in, and may this user open its devices (group 'video')?"
        case .noSuchCamera(let id, let known):
            "libcamera has no camera '\(id)'; it has \(known.isEmpty ? "none" : known.joined(separator: ", "))"
        case .busy(let id):
            "camera '\(id)' is in use by another program; end that program, or subscribe to its channel"
        case .cannotAcquire(let id, let errno):
            "camera '\(id)' can't be had (\(errno)); its device files are mostly for group 'video':"
                + " 'sudo usermod -aG video $USER', then log in again"
        case .badStreams(let reason): reason
        case .cannotConfigure(let id, let reason, let errno): "camera '\(id)': \(reason) (\(errno))"
        case .adjusted(let id, let adjustments):
            "camera '\(id)' can't do exactly what was asked: "
                + adjustments.map(\.description).joined(separator: ", ")
        case .layout(let stream, let error): "libcamera describes an impossible image for '\(stream)': \(error)"
        case .tooFewBuffers(let id, let given): "camera '\(id)' makes \(given) buffers; a channel needs two or more"
        case .call(let call, let id, let errno): "camera '\(id)': \(call) (\(errno))"
        case .memory(let error): "\(error)"
        case .noSuchControl(let id, let name, let known):
            "camera '\(id)' has no control '\(name)'; it has \(known.isEmpty ? "none" : known.joined(separator: ", "))"
        case .badControlValue(let name, let value, let reason): "control '\(name)' can't be \(value): \(reason)"
        case .unplugged(let id): "camera '\(id)' has gone: unplugged, or its driver was removed"
        case .noFrames(let id, let seconds):
            "camera '\(id)' gave no frame for \(seconds) s; was it unplugged, or its cable loose?"
        }
    }
}
