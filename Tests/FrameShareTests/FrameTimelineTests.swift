import FrameShare
import Testing

@Suite("The line of frames' times")
struct FrameTimelineTests {
    private static let ms: Int64 = 1_000_000
    private static let second: Int64 = 1_000_000_000
    private static let hour = 3600 * second

    /// Stamps in ms, and their places in ms, with what is found at each place.
    struct Row: Sendable {
        let name: String
        let stamps: [Int64]
        let kept: [Int64]
        let closed: [Int64]
        let found: [Int: FrameTimeline.Discontinuity]

        init(
            _ name: String,
            _ stamps: [Int64],
            kept: [Int64],
            closed: [Int64]? = nil,
            _ found: [Int: FrameTimeline.Discontinuity] = [:]
        ) {
            (self.name, self.stamps, self.kept, self.closed, self.found) = (name, stamps, kept, closed ?? kept, found)
        }
    }

    static let rows: [Row] = [
        Row("even stamps", [500, 533, 566], kept: [0, 33, 66]),
        Row("frames that were lost", [0, 33, 1033, 1066], kept: [0, 33, 1033, 1066]),
        Row("just no pause", [0, 33, 10_033, 10_066], kept: [0, 33, 10_033, 10_066]),
        Row(
            "a pause of an hour",
            [0, 33, 3_600_033, 3_600_066],
            kept: [0, 33, 3_600_033, 3_600_066],
            closed: [0, 33, 66, 99],
            [2: .pause(nanoseconds: hour)]
        ),
        Row(
            "a pause of a day",
            [0, 33, 86_400_033, 86_400_066],
            kept: [0, 33, 86_400_033, 86_400_066],
            closed: [0, 33, 66, 99],
            [2: .pause(nanoseconds: 24 * hour)]
        ),
        Row(
            "a clock that was set ahead by a year",
            [0, 33, 31_536_000_033, 31_536_000_066],
            kept: [0, 33, 66, 99],
            [2: .ahead(nanoseconds: 8760 * hour)]
        ),
        Row(
            "a source that begins anew",
            [90_000, 90_040, 0, 40],
            kept: [0, 40, 80, 120],
            [2: .back(nanoseconds: 90_040 * ms)]
        ),
        Row(
            "a step back of two frames",
            [0, 40, 80, 0, 40],
            kept: [0, 40, 80, 120, 160],
            [3: .back(nanoseconds: 80 * ms)]
        ),
        Row("a stamp that trembles", [0, 40, 80, 70, 120], kept: [0, 40, 80, 80, 120]),
        Row("equal stamps", [0, 33, 33, 33, 66], kept: [0, 33, 33, 33, 66]),
        Row("stamps that never move", [7, 7, 7], kept: [0, 0, 0]),
        Row("a fifth of a frame a second", [0, 5000, 10_000, 15_000], kept: [0, 5000, 10_000, 15_000]),
        Row("a thousand frames a second", [0, 1, 2, 3], kept: [0, 1, 2, 3]),
        Row(
            "a frame a minute",
            [0, 60_000, 120_000, 180_000],
            kept: [0, 60_000, 120_000, 180_000],
            closed: [0, 33, 60_033, 120_033],
            [1: .pause(nanoseconds: 60 * second)]
        ),
    ]

    @Test("is held by a table: what goes on, what is a pause, and what a clock that was set", arguments: rows)
    func table(row: Row) {
        for (pauses, wanted) in [(FrameTimeline.Pauses.kept, row.kept), (.closed, row.closed)] {
            var line = FrameTimeline(pauses: pauses)
            let places = row.stamps.map { line.place($0 * Self.ms) }
            #expect(places.map { $0.time / Self.ms } == wanted, "\(row.name), \(pauses)")
            for (index, place) in places.enumerated() {
                #expect(place.discontinuity == row.found[index], "\(row.name), \(pauses), \(index)")
            }
            #expect(line.discontinuities == row.found.count)
        }
    }

    @Test("leaves out a pause that the output can't hold, and says how much")
    func longestKept() {
        var line = FrameTimeline(pauses: .kept, longestKept: 2 * Self.hour)
        #expect(line.place(0).time == 0)
        #expect(line.place(Self.second).time == Self.second)
        #expect(
            line.place(Self.hour) == .init(time: Self.hour, discontinuity: .pause(nanoseconds: Self.hour - Self.second))
        )
        let place = line.place(10 * Self.hour)
        #expect(place.time == Self.hour + Self.second)
        #expect(place.discontinuity == .pause(nanoseconds: 9 * Self.hour))
        #expect(place.leftOut == 9 * Self.hour - Self.second)
    }

    @Test("goes on by one step where a recording is played again, also one of a single frame")
    func beginAgain() {
        var line = FrameTimeline(pauses: .closed, step: 40 * Self.ms)
        for turn in 0..<3 {
            #expect(line.place(5) == .init(time: Int64(turn) * 40 * Self.ms))
            line.beginAgain()
        }
        #expect(line.discontinuities == 0)
    }

    @Test("never goes back and never traps, whatever stamps come")
    func anyStamps() {
        var random = SystemRandomNumberGenerator()
        let ends: [Int64] = [.min, .min + 1, -1, 0, 1, .max - 1, .max]
        for pauses in [FrameTimeline.Pauses.kept, .closed] {
            for step in [nil, 0, 1, -1, Int64.max, .min] {
                var line = FrameTimeline(pauses: pauses, longestKept: .max, step: step)
                var last: Int64 = 0
                for number in 0..<2000 {
                    let stamp = number % 3 == 0 ? ends[number / 3 % 7] : Int64.random(in: .min ... .max, using: &random)
                    let time = line.place(stamp >> (number % 40)).time
                    #expect(time >= last)
                    last = time
                }
            }
        }
    }
}
