#if FFmpeg
import FrameCommand
import FrameShare
import FrameSinks

/// Where a recording goes: one file after the other, or clips when there is a trigger.
enum RecordOutput {
    case file(VideoRecorder)
    case clips(PreEventRecorder, RecordTriggers)

    func write(_ packet: borrowing VideoPacket) throws(VideoError) {
        switch self {
        case .file(let recorder): try recorder.write(packet)
        case .clips(let recorder, _): try recorder.write(packet)
        }
    }

    func noteLoss() {
        switch self {
        case .file(let recorder): recorder.noteLoss()
        case .clips(let recorder, _): recorder.noteLoss()
        }
    }

    /// Packets of another kind come from now on: in files of their own.
    func change(to stream: VideoStream) throws(VideoError) {
        switch self {
        case .file(let recorder): try recorder.change(to: stream)
        case .clips(let recorder, _): try recorder.change(to: stream)
        }
    }

    func lookForTriggers() throws(VideoError) {
        guard case .clips(let recorder, let triggers) = self else { return }
        while let post = triggers.next() { try recorder.trigger(post: post) }
    }

    func finish() throws(VideoError) {
        switch self {
        case .file(let recorder): try recorder.finish()
        case .clips(let recorder, _): try recorder.finish()
        }
    }

    /// Those that are done.
    var finishedFiles: ArraySlice<VideoRecorder.File> {
        switch self {
        case .file(let recorder): recorder.files.dropLast()
        case .clips(let recorder, _): recorder.files[...]
        }
    }

    /// All, at the end.
    var files: ArraySlice<VideoRecorder.File> {
        if case .file(let recorder) = self { recorder.files[...] } else { finishedFiles }
    }

    var skipped: Int {
        switch self {
        case .file(let recorder): recorder.skipped
        case .clips(let recorder, _): recorder.skipped
        }
    }

    /// How much of pauses, and of clocks that were set ahead, the files' times leave out, in ns.
    var leftOut: Int64 {
        switch self {
        case .file(let recorder): recorder.leftOut
        case .clips(let recorder, _): recorder.leftOut
        }
    }

    /// For a person who looks.
    var status: String? {
        switch self {
        case .file(let recorder):
            return recorder.files.last.map {
                "\($0.path)  \(Quantities.time(nanoseconds: $0.duration))  \(Quantities.counted($0.frames, "frame"))  "
                    + Quantities.bytes($0.bytes)
            }
        case .clips(let recorder, _):
            return "\(Quantities.bytes(recorder.keptBytes)) kept; "
                + "\(Quantities.counted(recorder.openClips, "clip")) being written, \(recorder.files.count) done"
        }
    }
}

/// Where triggers come from.
struct RecordTriggers {
    let socket: TriggerSocket
    let signal: TriggerSignal?
    /// How long a clip goes on where the trigger does not say.
    let post: Duration

    /// How long to go on after the trigger that has come; nil: none has.
    func next() -> Duration? {
        if let trigger = socket.receive() { return trigger.post ?? post }
        if let signal, signal.take() { return post }
        return nil
    }
}
#endif
