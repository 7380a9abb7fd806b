#if FFmpeg
internal import CFFmpeg
internal import FrameShare
internal import Synchronization

/// Where a `ContainerWriter` writes, and how.
struct MuxerTarget {
    /// For errors.
    var shown: ShownAddress
    /// The local files that may be written.
    var files: OwnFiles
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
        shown = ShownAddress(file: path)
        // The recorder has made the file.
        files = OwnFiles(overwrite: true)
        // Else a colon in the name would be taken for a protocol.
        address = "file:" + path
        muxer = container.rawValue
        options = container.options
    }

    /// Fragmented MP4 that is played while it is made: each frame by itself.
    init(fragmentsTo memory: MuxedBytes) {
        (shown, address, muxer) = (ShownAddress("memory"), "", VideoContainer.mp4.rawValue)
        files = OwnFiles(overwrite: true)
        options = [
            ("flush_packets", "1"), ("movflags", "+frag_every_frame+empty_moov+default_base_moof"),
            ("video_track_timescale", "1000000"),
        ]
        self.memory = memory
    }

    init(
        _ shown: ShownAddress,
        address: String,
        muxer: String,
        options: [(String, String)],
        files: OwnFiles,
        interruption: Interruption
    ) {
        (self.shown, self.address, self.muxer, self.interruption) = (shown, address, muxer, interruption)
        (self.options, self.files) = (options, files)
    }
}

/// Ends waiting in libavformat when it takes too long.
final class Interruption: Sendable {
    private let deadline = Atomic(Int64.max)
    private let allowed = Atomic(Int64.max)
    private let isStopped = Atomic(false)

    /// From now on, at most so long. Once it was stopped, no call makes it longer than a second.
    func allow(_ time: Duration) {
        let time = isStopped.load(ordering: .relaxed) ? min(time, .seconds(1)) : time
        let (end, overflow) = FrameTimestamp.now().nanoseconds.addingReportingOverflow(time.nanosecondsClamped)
        allowed.store(time.nanosecondsClamped, ordering: .relaxed)
        deadline.store(overflow ? .max : end, ordering: .relaxed)
    }

    /// A second more, for the end.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        allow(.seconds(1))
    }

    /// So long for the end of an output, stopped or not.
    func allowEnd(_ time: Duration) {
        let (end, overflow) = FrameTimestamp.now().nanoseconds.addingReportingOverflow(time.nanosecondsClamped)
        allowed.store(time.nanosecondsClamped, ordering: .relaxed)
        deadline.store(overflow ? .max : end, ordering: .relaxed)
    }

    /// Why a call was ended, for people.
    var reason: String {
        if isStopped.load(ordering: .relaxed), allowed.load(ordering: .relaxed) <= 1_000_000_000 {
            return "told to stop while it waited for an answer"
        }
        let milliseconds = max(0, allowed.load(ordering: .relaxed)) / 1_000_000
        let time = milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
        return "no answer in \(time); --timeout allows more"
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
