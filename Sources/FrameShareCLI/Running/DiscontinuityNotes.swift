import FrameCommand
import FrameJSON
import FrameShare
import PixelFormats

/// Tells of each break in the times of the frames that a command takes.
final class DiscontinuityNotes {
    private var line = FrameTimeline(pauses: .kept)
    private let json: Bool
    private let terminal: Terminal

    init(json: Bool, terminal: Terminal = .output) { (self.json, self.terminal) = (json, terminal) }

    /// How many there were.
    var count: Int { line.discontinuities }

    /// Looks at the next frame's time, in the order in which frames are decoded.
    func look(_ stamp: Int64) {
        guard let found = line.place(stamp).discontinuity else { return }
        terminal.writeLine(
            json
                ? JSONValue.object([
                    "event": "discontinuity", "kind": .string(found.kind),
                    "seconds": .number(Double(found.nanoseconds) / 1e9, digits: 3),
                ]).text
                : "\(found)"
        )
    }

    /// Tells that frames of another size or format have come.
    func tellChange(from before: ImageLayout, to now: ImageLayout) {
        terminal.writeLine(
            json
                ? JSONValue.object([
                    "event": "changed", "from": .string("\(before)"), "to": .string("\(now)"),
                ]).text
                : "the frames changed from \(before) to \(now)"
        )
    }
}
