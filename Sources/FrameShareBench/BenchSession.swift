import FrameCommand
import FrameShare
import Glibc

/// Works through a benchmark's cells, round by round, and says how far it is.
struct BenchSession {
    let command: Bench
    let stop: StopRequest
    private var copySpeed = 0.0

    init(command: Bench, stop: StopRequest) {
        self.command = command
        self.stop = stop
    }

    private var rounds: Int { command.quick ? 1 : command.rounds }
    private var sizes: [Int] { command.quick ? [1_000_000] : command.size }
    private var readers: [Int] { command.quick ? [1] : command.readers }

    mutating func run() throws -> BenchResult {
        let largest = sizes.max() ?? 1_000_000
        copySpeed = AllocationBench.copySpeed(size: largest)
        let allocations = AllocationBench(size: largest, rounds: max(3, rounds)).run(stop)
        let cells = self.cells
        var samples: [BenchCell: [BenchSample]] = [:]
        var troubles: [BenchCell: String] = [:]
        var done = 0
        // Round by round, so that a machine that slows down slows all of them.
        for round in 1...rounds {
            for cell in cells where troubles[cell] == nil {
                guard !stop.isStopped else { break }
                tell(
                    "round \(round) of \(rounds): \(cell.way.name), \(Quantities.counted(cell.readers, "reader"))",
                    done
                )
                do {
                    samples[cell, default: []].append(try HandOverRun(cell: cell, stop: stop).run())
                } catch {
                    troubles[cell] = CommandFailure(describing: error).message
                }
                done += 1
            }
        }
        endTelling()
        let limit = BenchLimit(copySpeed: copySpeed)
        let rows = cells.map { cell in
            if let trouble = troubles[cell] { return BenchRow(cell: cell, trouble: trouble) }
            var row = BenchRow(cell: cell, samples: samples[cell] ?? [], limit: "")
            row.limit = limit.text(cell, framesPerSecond: row.framesPerSecond, p50: row.p50)
            return row
        }
        return BenchResult(
            machine: machine,
            rounds: rounds,
            copySpeed: copySpeed,
            allocationSize: largest,
            allocations: allocations,
            rows: rows
        )
    }

    private var cells: [BenchCell] {
        var cells: [BenchCell] = []
        for readers in readers {
            for size in sizes {
                for rate in [command.rate, 0] {
                    for way in HandOver.all where rate > 0 || !way.mayLose {
                        cells.append(cell(way, readers, size, rate))
                    }
                }
            }
        }
        return cells
    }

    private func cell(_ way: HandOver, _ readers: Int, _ size: Int, _ rate: Double) -> BenchCell {
        let seconds = Double((command.quick ? .milliseconds(100) : command.seconds).nanoseconds) / 1e9
        // Un-paced, as many as may come about in the time: copies by the speed of memory, the others by that of waking.
        let copies = max(way.copies(readers: readers), command.touch == .all ? 2 : 0)
        let copying = Double(copies * size) / max(copySpeed, 1e8)
        let each = max(copying + (way.mapsEachFrame ? 100e-6 : 10e-6), 10e-6)
        let frames = rate > 0 ? seconds * rate : min(seconds / each, 20_000)
        return BenchCell(
            way: way,
            readers: readers,
            size: size,
            rate: rate,
            frames: max(10, Int(frames)),
            touch: command.touch
        )
    }

    private var machine: String {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let hardware = withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        return "\(Quantities.counted(cores, "core")), \(hardware), Linux \(release)"
    }

    private func tell(_ text: String, _ done: Int) {
        guard Terminal.errors.canRedraw else { return }
        let share = 100.multipliedClamped(by: done) / max(1, cells.count.multipliedClamped(by: rounds))
        Terminal.errors.writeAsIs("\r\(share) %  \(text)\u{1B}[K")
    }

    private func endTelling() {
        if Terminal.errors.canRedraw { Terminal.errors.writeAsIs("\r\u{1B}[K") }
    }
}
