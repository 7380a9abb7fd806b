import ArgumentParser
import FrameCommand
import FrameSources

/// How long a source takes to settle: a count of frames, or a time with its unit.
enum WarmUpArgument {
    static func parse(_ text: String) throws -> OnDemand.WarmUp {
        if let count = Int(text) {
            guard (0...1_000_000).contains(count) else { throw ValidationError("give 0 to 1000000 frames") }
            return count == 0 ? .none : .frames(count)
        }
        guard let last = text.last, last.isLetter else {
            throw ValidationError("give a number of frames, such as 10, or a time with its unit, such as 500ms")
        }
        return .time(try DurationArgument.parse(text))
    }
}
