import CFloor
import Glibc

/// What a frame's wake-up costs: FrameShare beside the floor, in one run, with real processes.
///
/// The program is the publisher; it starts itself anew as each reader.
@main
enum ChannelBench {
    static func main() {
        do {
            if CommandLine.arguments.dropFirst().first == ReaderProcess.argument {
                try ReaderProcess.run(Array(CommandLine.arguments.dropFirst(2)))
            } else {
                try measure(try Options(CommandLine.arguments.dropFirst()))
            }
        } catch {
            say("channel-bench: \(error)")
            exit(1)
        }
    }

    private static func measure(_ options: Options) throws {
        let plan = Plan(options)
        say(plan.announcement)
        let bench = try Bench(options)
        defer { bench.removeFolder() }
        var results: [CellResult] = []
        for round in 1...options.rounds {
            let began = floor_now()
            for cell in plan.cells(round: round) { results.append(try bench.run(cell, round: round)) }
            say(
                "round \(round) of \(options.rounds): \(plan.cellCount) runs in \((floor_now() - began) / 1_000_000_000) s"
            )
        }
        if let path = options.json { try RawSamples.write(results, options, to: path) }
        print(Report(options, results).text)
        if results.contains(where: { $0.wrong > 0 }) {
            throw BenchError("a reader saw a frame that was not the one announced")
        }
    }

    /// Progress and errors, apart from the report.
    static func say(_ text: String) {
        let line = text + "\n"
        _ = write(2, line, line.utf8.count)
    }
}

/// Something that keeps the benchmark from running.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
