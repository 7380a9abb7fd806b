#if FFmpeg
import FrameCommand
import FrameJSON
import FrameShare
import FrameSinks

/// What `frameshare record` tells: a line that is kept up to date on a terminal, and the files at the end.
final class RecordProgress {
    private let command: Record
    private let terminal: Terminal
    private let area: LiveArea?
    private var told = 0
    private var lookedAt: Int64 = 0

    init(command: Record, terminal: Terminal) {
        self.command = command
        self.terminal = terminal
        area = !command.json && terminal.canRedraw ? LiveArea(terminal) : nil
    }

    func begin(_ source: String, _ layout: ImageLayout) {
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "start", "channel": .string(source), "layout": .string("\(layout)"),
                    "output": .string(command.output),
                ]).text
            )
        } else {
            terminal.writeLine(StyledText(command.output, .bold) + ": \(source), \(layout). Ctrl-C ends it")
        }
    }

    /// Twice a second at most.
    func look(_ output: RecordOutput, _ subscriber: Subscriber) {
        let now = FrameTimestamp.now().nanoseconds
        guard now - lookedAt > 500_000_000 else { return }
        lookedAt = now
        tellFiles(output.finishedFiles)
        guard let area, let status = output.status else { return }
        _ = area.draw(["\(status)  lost \(subscriber.statistics.lost.total)"])
    }

    private func tellFiles(_ files: ArraySlice<VideoRecorder.File>) {
        for file in files.dropFirst(told) {
            told += 1
            if command.json {
                terminal.writeLine(
                    JSONValue.object([
                        "event": "file", "path": .string(file.path), "frames": .number(file.frames),
                        "bytes": .number(file.bytes), "seconds": .number(Double(file.duration) / 1e9, digits: 6),
                        "early_seconds": command.onTrigger ? .number(Double(file.beginsEarly) / 1e9, digits: 6) : nil,
                    ]).text
                )
            } else {
                terminal.writeLine(
                    "\(file.path): \(Quantities.counted(file.frames, "frame")), "
                        + "\(Quantities.time(nanoseconds: file.duration)), \(Quantities.bytes(file.bytes))"
                        + (file.beginsEarly > 0
                            ? "; it begins \(Quantities.time(nanoseconds: file.beginsEarly)) before --pre, at a keyframe"
                            : "")
                )
            }
        }
    }

    func end(
        _ output: RecordOutput,
        _ subscriber: Subscriber,
        _ notes: DiscontinuityNotes,
        _ damaged: DamagedFrames
    ) {
        tellFiles(output.files)
        let (frames, lost) = (output.files.reduce(0) { $0 + $1.frames }, subscriber.statistics.lost)
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "end", "files": .number(output.files.count), "frames": .number(frames),
                    "skipped": .number(output.skipped), "discontinuities": .number(notes.count),
                    "damaged": .number(damaged.count),
                    "left_out_seconds": .number(Double(output.leftOut) / 1e9, digits: 3),
                    "lost": lost.json,
                ]).text
            )
            return
        }
        terminal.writeLine(
            "recorded \(Quantities.counted(frames, "frame")); lost by the source \(lost.source), there for want of a free "
                + "slot \(lost.noFreeSlot), as the recorder was too slow \(lost.policy)"
                + (lost.isKnown ? "" : ", between two publishers unknown")
                + (output.skipped > 0 ? "; \(output.skipped) left out before a keyframe" : "") + damaged.text
                + (notes.count > 0 ? "; breaks in the frames' times \(notes.count)" : "")
                + (output.leftOut > 0
                    ? ", of which the files leave out \(Quantities.time(nanoseconds: output.leftOut))" : "")
        )
    }
}
#endif
