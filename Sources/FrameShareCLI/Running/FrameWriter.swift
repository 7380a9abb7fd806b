import FrameCommand
import FrameShare
import FrameSinks
import Glibc
import PixelFormats

/// Writes images to standard output in the format that `cat` was asked for.
struct FrameWriter: ~Copyable {
    private let format: Cat.Format
    private let rate: Double?
    private var raw: RawWriter
    /// Made with the first image, whose layout it tells in its header.
    private var y4m: Y4MWriter?
    /// Of the image before.
    private var layout: ImageLayout?

    init(format: Cat.Format, rate: Double?) {
        self.format = format
        self.rate = rate
        raw = RawWriter(descriptor: STDOUT_FILENO)
    }

    /// Writes the frame's first image.
    mutating func write(_ frame: borrowing Frame) throws(SinkError) {
        guard let image = frame.image(at: 0) else { return }
        guard format == .y4m else {
            noteChange(to: image.layout)
            return try raw.write(image)
        }
        if y4m == nil {
            let rate = rate ?? frame.sourceRate ?? 30
            y4m = try Y4MWriter(descriptor: STDOUT_FILENO, layout: image.layout, framesPerSecond: rate)
        }
        try y4m?.write(image)
    }

    /// Raw pixels say nothing of their size, so a person is told where it changes. Compressed images tell it themselves.
    private mutating func noteChange(to now: ImageLayout) {
        defer { layout = now }
        guard let layout, !now.format.isCompressed,
            (layout.format, layout.width, layout.height) != (now.format, now.width, now.height)
        else { return }
        Terminal.errors.writeLine("frameshare: the image changed from \(layout) to \(now); the bytes go on with it")
    }
}

extension Frame {
    /// What the source says of its rate: libcamera's `FrameDuration`, in microseconds.
    var sourceRate: Double? {
        guard let microseconds = metadata["FrameDuration"]?.integer, microseconds > 0 else { return nil }
        return 1_000_000 / Double(microseconds)
    }
}

extension Subscriber {
    /// What a channel's source says of its rate, by a subscription for this alone.
    static func sourceRate(channel: String, stream: String?) throws(ChannelError) -> Double? {
        let subscriber = try ofOneStream(channel: channel, stream: stream, policy: .latest, name: "rate")
        defer { subscriber.close() }
        return try subscriber.sourceRate()
    }

    /// What the source says of its rate, of a frame that is looked at for this alone; nil when none comes in a second.
    func sourceRate() throws(ChannelError) -> Double? {
        do throws(ChannelError) {
            guard let frame = try nextBlocking(timeout: .seconds(1)) else { return nil }
            return frame.sourceRate
        } catch .timedOut {
            return nil
        }
    }
}
