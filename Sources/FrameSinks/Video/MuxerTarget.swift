#if FFmpeg
internal import CFFmpeg
internal import FrameShare
internal import Synchronization

/// Where a `ContainerWriter` writes, and how.
struct MuxerTarget {
    /// For errors: a path, or an address without what may be secret in it.
    var label: String
    /// libavformat's URL.
    var address: String
    /// libavformat's name of the container.
    var muxer: String
    var options: [(key: String, value: String)]
    /// Lets calls that wait for a network end.
    var interruption: Interruption?
    /// Takes what is written, in the place of an address.
    var memory: MuxedBytes?

    init(file path: String, _ container: VideoContainer) {
        label = path
        // Else a colon in the name would be taken for a protocol.
        address = "file:" + path
        muxer = container.rawValue
        options = container.options
    }

    /// Fragmented MP4 that is played while it is made: each frame by itself.
    init(fragmentsTo memory: MuxedBytes) {
        (label, address, muxer) = ("memory", "", VideoContainer.mp4.rawValue)
        options = [
            ("flush_packets", "1"), ("movflags", "+frag_every_frame+empty_moov+default_base_moof"),
            ("video_track_timescale", "1000000"),
        ]
        self.memory = memory
    }

    init(label: String, address: String, muxer: String, options: [(String, String)], interruption: Interruption) {
        (self.label, self.address, self.muxer, self.interruption) = (label, address, muxer, interruption)
        self.options = options
    }
}

/// Ends waiting in libavformat when it takes too long.
final class Interruption: Sendable {
    private let deadline = Atomic(Int64.max)

    /// From now on, at most so long.
    func allow(_ time: Duration) {
        deadline.store(FrameTimestamp.now().nanoseconds &+ time.nanosecondsClamped, ordering: .relaxed)
    }

    private var isDue: Bool {
        FrameTimestamp.now().nanoseconds > deadline.load(ordering: .relaxed)
    }

    /// For libavformat, which keeps no reference: this must live as long as what it is given to.
    var callback: AVIOInterruptCB {
        AVIOInterruptCB(
            callback: { opaque in
                guard let opaque else { return 0 }
                return Unmanaged<Interruption>.fromOpaque(opaque).takeUnretainedValue().isDue ? 1 : 0
            },
            opaque: Unmanaged.passUnretained(self).toOpaque()
        )
    }
}
#endif
