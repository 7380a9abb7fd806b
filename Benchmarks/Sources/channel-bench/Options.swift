import Glibc

/// What is measured, from the command line.
struct Options {
    var rounds = 6
    /// How long a paced run lasts.
    var seconds = 0.5
    /// Frames per second of a paced run.
    var rate = 120
    /// Frame sizes in bytes.
    var sizes = [1_000_000, 36_000_000]
    var readers = [1, 8]
    /// Only these contestants; empty: all.
    var only: [Contestant] = []
    /// How frames follow each other.
    var modes = Mode.allCases
    /// Where all samples go, as JSON.
    var json: String?

    static let usage = """
        channel-bench: what a frame's wake-up costs, beside a plain C futex and eventfd in the same run.

          --rounds N         interleaved rounds (6); ratios are medians over rounds, so take 6 or more
          --seconds S        how long each paced run lasts (0.5)
          --rate N           frames per second of a paced run (120)
          --sizes MB,MB      frame sizes (1,36)
          --readers N,N      reader processes (1,8)
          --only NAME,NAME   contestants: futex, futex-again, eventfd, frameshare
          --modes NAME,NAME  paced, ping-pong, lossless
          --json FILE        keeps every sample
        """

    init(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        while let option = rest.popFirst() {
            if option == "--help" || option == "-h" {
                print(Self.usage)
                exit(0)
            }
            guard let value = rest.popFirst() else { throw BenchError("\(option) needs a value\n\n\(Self.usage)") }
            switch option {
            case "--rounds": rounds = try Self.number(value, 1...1000)
            case "--seconds":
                guard let number = Double(value), number >= 0.1, number <= 600 else {
                    throw BenchError("--seconds \(value): give 0.1 to 600")
                }
                seconds = number
            case "--rate": rate = try Self.number(value, 1...10_000)
            case "--sizes": sizes = try Self.list(value, 1...256).map { $0 * 1_000_000 }
            case "--readers": readers = try Self.list(value, 1...64)
            case "--only": only = try Self.names(value)
            case "--modes": modes = try Self.names(value)
            case "--json": json = value
            default: throw BenchError("unknown option \(option)\n\n\(Self.usage)")
            }
        }
    }

    private static func number(_ text: some StringProtocol, _ range: ClosedRange<Int>) throws -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw BenchError("'\(text)' is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func names<T: RawRepresentable<String>>(_ text: String) throws -> [T] {
        try text.split(separator: ",").map {
            guard let value = T(rawValue: String($0)) else { throw BenchError("there is no '\($0)'\n\n\(usage)") }
            return value
        }
    }

    private static func list(_ text: String, _ range: ClosedRange<Int>) throws -> [Int] {
        let numbers = try text.split(separator: ",").map { try number($0, range) }
        guard !numbers.isEmpty else { throw BenchError("an empty list") }
        return numbers
    }
}
