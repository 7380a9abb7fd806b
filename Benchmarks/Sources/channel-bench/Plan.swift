/// Who is measured.
enum Contestant: String, CaseIterable {
    /// Frames are stamped and touched, nobody is told: what the pacing itself costs.
    case idle
    /// One shared futex word, wake all.
    case futex
    /// The same once more: how far two runs of one program lie apart (A/A).
    case futexAgain = "futex-again"
    /// An eventfd for each reader.
    case eventfd
    case frameshare
}

/// How frames follow each other.
enum Mode: String, CaseIterable {
    /// At a camera's rate; readers sleep in between.
    case paced
    /// The next frame as soon as every reader has given back the last.
    case pingPong = "ping-pong"
    /// As fast as it goes with at most four frames in flight, and none lost.
    case lossless
}

/// One run of one contestant.
struct Cell {
    var mode: Mode
    var contestant: Contestant
    var size: Int
    var readers: Int
}

/// Which runs make a round, and in what order.
struct Plan {
    private let cells: [Cell]
    private let options: Options

    init(_ options: Options) {
        self.options = options
        let contestants = Contestant.allCases.filter {
            $0 != .idle && (options.only.isEmpty || options.only.contains($0))
        }
        // One size is enough where paced runs show that the size does not matter.
        let smallest = options.sizes.min() ?? 1_000_000
        var cells = options.sizes.map { Cell(mode: .paced, contestant: .idle, size: $0, readers: 0) }
        for mode in options.modes {
            for size in mode == .paced ? options.sizes : [smallest] {
                for readers in options.readers {
                    for contestant in contestants where mode == .paced || contestant != .futexAgain {
                        cells.append(Cell(mode: mode, contestant: contestant, size: size, readers: readers))
                    }
                }
            }
        }
        self.cells = cells
    }

    var cellCount: Int { cells.count }

    var announcement: String {
        "channel-bench: \(options.rounds) rounds of \(cells.count) runs, about"
            + " \(Int(Double(options.rounds * cells.count) * (0.3 + options.seconds * 0.75))) s"
    }

    /// The runs of a round. Each round begins at another place, so that no contestant always follows the same one.
    func cells(round: Int) -> [Cell] {
        var order = cells
        var state = UInt64(round) &* 0x9e37_79b9_7f4a_7c15
        for i in order.indices.dropFirst().reversed() {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            order.swapAt(i, Int((state >> 33) % UInt64(i + 1)))
        }
        return order
    }
}
