import FrameShare

/// Paints slots, and knows which of them hold the pattern's background already.
struct PatternCanvas {
    private var painters: [PatternPainter] = []
    private var generation: UInt32?
    /// By slot: whether it holds a frame of this generation's painters.
    private var painted: [Bool] = []
    /// What went wrong in ``paint(_:_:_:_:)``.
    private(set) var failure: PatternError?

    init(_ publisher: Publisher) throws(PatternError) {
        painters = try Self.painters(publisher.streams)
    }

    /// Paints a frame in all of a slot's streams and says in `description` how many bytes compressed images take.
    /// - Parameter generation: the slot's; `nil` when unknown.
    mutating func paint(
        _ number: UInt64,
        _ slot: borrowing WritableSlot,
        _ generation: UInt32?,
        _ description: inout FrameDescription
    ) {
        do throws(PatternError) {
            if generation == nil || generation != self.generation {
                painters = try Self.painters(slot.streams)
                painted = []
                self.generation = generation
            }
            let place = slot.slot
            let changesOnly = painted.indices.contains(place) && painted[place]
            for stream in painters.indices {
                try paint(number, stream, slot, changesOnly: changesOnly, &description)
            }
            while painted.count <= place {
                painted.append(false)
            }
            painted[place] = generation != nil
        } catch {
            failure = error
        }
    }

    private func paint(
        _ number: UInt64,
        _ stream: Int,
        _ slot: borrowing WritableSlot,
        changesOnly: Bool,
        _ description: inout FrameDescription
    ) throws(PatternError) {
        let painter = painters[stream]
        for buffer in 0..<painter.layout.bufferCount {
            let used = try slot.image(at: stream)?.withUnsafeMutableBytes(buffer: buffer) {
                bytes throws(PatternError) in
                changesOnly
                    ? try painter.paintChanges(frame: number, into: bytes, buffer: buffer)
                    : try painter.paint(frame: number, into: bytes, buffer: buffer)
            }
            guard let used else {
                throw .notWritable(stream: slot.streams[stream].name)
            }
            if painter.layout.format.isCompressed {
                description.setBytesUsed(used, stream: stream, plane: 0)
            }
        }
    }

    private static func painters(_ streams: [Stream]) throws(PatternError) -> [PatternPainter] {
        var painters: [PatternPainter] = []
        for stream in streams {
            painters.append(try PatternPainter(layout: stream.layout))
        }
        return painters
    }
}
