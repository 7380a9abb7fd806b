import FrameMemory
import FrameShare
import FrameSinks
import PixelFormats

/// The encoder that was chosen: one of FFmpeg's, or a V4L2 device.
enum ChannelEncoder {
    #if FFmpeg
    case ffmpeg(VideoEncoder)
    #endif
    case v4l2(V4L2Encoder)

    init(_ choice: EncoderArgument, layout: ImageLayout, memory: MemoryKind, options: VideoOptions) throws {
        switch choice.encoder {
        case .ffmpeg:
            #if FFmpeg
            self = .ffmpeg(try VideoEncoder(layout: layout, options: options))
            #else
            throw VideoError.notInThisBuild
            #endif
        case .v4l2(let path):
            self = .v4l2(
                try V4L2Encoder(
                    device: try path.map { try V4L2EncoderDevice(path: $0) },
                    layout: layout,
                    memory: memory,
                    options: options
                )
            )
        }
    }

    var stream: VideoStream {
        switch self {
        #if FFmpeg
        case .ffmpeg(let encoder): VideoStream(of: encoder)
        #endif
        case .v4l2(let encoder): VideoStream(of: encoder)
        }
    }

    /// A V4L2 encoder, which counts how frames came in.
    var device: V4L2Encoder? {
        if case .v4l2(let encoder) = self { encoder } else { nil }
    }

    var intake: EncoderIntake {
        switch self {
        #if FFmpeg
        case .ffmpeg(let encoder): .ffmpeg(readsInPlace: encoder.readsFramesInPlace)
        #endif
        case .v4l2(let encoder): .v4l2(device: encoder.device.path, driver: encoder.device.driver, encoder.intake)
        }
    }

    /// Has the next frame encoded without those before it. A device without a control for it goes on as it is.
    func forceKeyframe() throws(VideoError) {
        switch self {
        #if FFmpeg
        case .ffmpeg(let encoder): encoder.forceKeyframe()
        #endif
        case .v4l2(let encoder):
            do throws(VideoError) {
                try encoder.forceKeyframe()
            } catch .device(.notAdjustable) {
                return
            }
        }
    }

    func encode(
        _ frame: consuming Frame,
        _ body: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws(VideoError) {
        switch self {
        #if FFmpeg
        case .ffmpeg(let encoder): try encoder.encode(frame, body)
        #endif
        case .v4l2(let encoder): try encoder.encode(frame, body)
        }
    }

    /// Takes what a device has done while nobody called.
    func collect(_ body: (borrowing VideoPacket) throws(VideoError) -> Void) throws(VideoError) {
        if case .v4l2(let encoder) = self { try encoder.collect(body) }
    }

    func finish(_ body: (borrowing VideoPacket) throws(VideoError) -> Void) throws(VideoError) {
        switch self {
        #if FFmpeg
        case .ffmpeg(let encoder): try encoder.finish(body)
        #endif
        case .v4l2(let encoder): try encoder.finish(body)
        }
    }
}

/// How frames get into an encoder, for people and programs.
enum EncoderIntake: CustomStringConvertible {
    case ffmpeg(readsInPlace: Bool)
    case v4l2(device: String, driver: String, V4L2EncoderIntake)

    var isInPlace: Bool {
        switch self {
        case .ffmpeg(let readsInPlace): readsInPlace
        case .v4l2(_, _, let intake): intake == .imported
        }
    }

    var device: String? {
        if case .v4l2(let device, _, _) = self { device } else { nil }
    }

    var copyReason: String? {
        if case .v4l2(_, _, .copied(let reason)) = self { reason } else { nil }
    }

    var description: String {
        switch self {
        case .ffmpeg(let readsInPlace): readsInPlace ? "read in place" : "converted first"
        case .v4l2(let device, let driver, .imported): "read in place by \(device) (\(driver))"
        case .v4l2(let device, let driver, .copied(let reason)):
            "copied for \(device) (\(driver)), since \(reason)"
        }
    }
}
