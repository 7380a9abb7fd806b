internal import FrameShare
public import PixelFormats

/// What containers must know of a stream of packets.
public struct VideoStream: Sendable, Hashable {
    public var codec: VideoCodec
    public var width: Int
    public var height: Int
    public var colorSpace: ColorSpace
    /// About how many frames a second come: AVI has nothing else to tell time by.
    public var framesPerSecond: Double
    /// The shape of a pixel; nil: square, or unknown. Writers take it from a file's first packet.
    public var pixelAspect: PixelAspect?
    /// FFmpeg's number of a raw picture's format; -1 for encoded ones.
    var pixelFormat: Int32 = -1
    /// A raw picture's fourcc in files; 0: what the container has.
    var tag: UInt32 = 0

    public init(codec: VideoCodec, width: Int, height: Int, colorSpace: ColorSpace, framesPerSecond: Double) {
        (self.codec, self.width, self.height) = (codec, width, height)
        (self.colorSpace, self.framesPerSecond) = (colorSpace, framesPerSecond)
    }

    /// The packets of a channel's stream; nil where it carries none.
    public init?(_ layout: ImageLayout, framesPerSecond: Double) {
        guard let codec = VideoCodec(layout.format) else { return nil }
        self.init(
            codec: codec,
            width: layout.width,
            height: layout.height,
            colorSpace: layout.colorSpace,
            framesPerSecond: framesPerSecond
        )
    }
}

extension VideoStream {
    /// With what a packet's metadata say of its picture.
    func told(by packet: borrowing VideoPacket) -> VideoStream {
        var stream = self
        stream.pixelAspect = PixelAspect(packet.metadata) ?? pixelAspect
        return stream
    }

    /// The rate as libavformat is told it: a positive number, whatever was said.
    var framesPerThousandSeconds: Int32 {
        guard framesPerSecond.isFinite else { return 30_000 }
        return Int32(min(max((framesPerSecond * 1000).rounded(), 1), 10_000_000))
    }
}

extension VideoStream {
    /// What a V4L2 encoder makes.
    public init(of encoder: V4L2Encoder) {
        self.init(
            codec: encoder.options.codec,
            width: encoder.layout.width,
            height: encoder.layout.height,
            colorSpace: encoder.layout.colorSpace,
            framesPerSecond: encoder.options.framesPerSecond
        )
    }
}

#if FFmpeg
extension VideoStream {
    /// What an encoder makes.
    public init(of encoder: VideoEncoder) {
        self.init(
            codec: encoder.options.codec,
            width: encoder.layout.width,
            height: encoder.layout.height,
            colorSpace: encoder.colorSpace,
            framesPerSecond: encoder.options.framesPerSecond
        )
        if codec == .raw { (pixelFormat, tag) = (encoder.pixelFormat, encoder.tag) }
    }
}
#endif
