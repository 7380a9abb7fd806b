public import FrameShare

/// What a ``V4L2Capture`` tells of itself.
public enum V4L2CaptureEvent: Sendable {
    /// Streaming has begun, with a new set-up.
    case streaming(V4L2DeviceInfo, V4L2CameraSetup)
    /// The camera is gone, the channel has ended; the capture waits for the camera.
    case unplugged(V4L2DeviceInfo)
    /// Something failed that may pass, or the camera has given no frame for too long (``V4L2Error/noFrames(path:seconds:)``).
    /// The capture goes on. It is told once, until ``recovered``.
    case troubled(V4L2Error)
    /// Frames come again.
    case recovered
    /// The camera couldn't be set up as ``V4L2Capture/reconfigure(_:)`` wanted; it goes on as before.
    case refused(V4L2Error)
}

/// Why a capture ended.
public enum V4L2CaptureError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The camera failed.
    case camera(V4L2Error)
    /// The channel failed, or was closed through its publisher.
    case channel(ChannelError)
    /// A capture runs once; make another.
    case hasRun(channel: String)

    public var description: String {
        switch self {
        case .camera(let error): "\(error)"
        case .channel(let error): "\(error)"
        case .hasRun(let channel): "the capture of channel '\(channel)' runs already, or has ended; make another"
        }
    }
}

extension V4L2Camera {
    /// The camera's buffers as a pool of one stream: slot and buffer have the same number.
    public func pool(stream: String = "main") throws(ChannelError) -> FramePool {
        try FramePool(
            streams: [Stream(name: stream, layout: setup.layout)],
            slots: buffers.map { [$0] },
            allocationReport: setup.allocationReport
        )
    }
}
