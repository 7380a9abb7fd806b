import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare
import FrameSinks
import Glibc

/// `frameshare bench`
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure this machine: how fast can frames be handed over here?",
        discussion: """
            How long a frame's memory takes to get, map, write and read, from each place that this machine has; and \
            what it costs to hand frames to other processes: by FrameShare, by mapping a descriptor for each frame, by \
            copying through shared memory, a socket or a pipe. Readers are processes that sleep in between. Runs are \
            interleaved, figures are medians, and each row says what limits it. About a minute.

            Examples:
              frameshare bench
              frameshare bench --quick
              frameshare bench --readers 1,2,4,8,16 --size 1M,12M,36M --rounds 6
              frameshare bench --touch all --json > bench.json
              frameshare bench --html bench.html

            Other programs can be measured the same way: see 'bench-publisher --help'.
            """
    )

    @Option(
        help: .init("Numbers of readers, 1 to 16. Left out: 1,8.", valueName: "n,n"),
        transform: ListArgument.counts
    )
    var readers = [1, 8]

    @Option(
        help: .init("Bytes of a frame, such as 900k or 12M. Left out: 1M,12M.", valueName: "n,n"),
        transform: ListArgument.sizes
    )
    var size = [1_000_000, 12_000_000]

    @Option(
        help: .init("Frames a second of the paced runs. Left out: 120.", valueName: "fps"),
        transform: FrameRateArgument.parse
    )
    var rate = 120.0

    @Option(help: "How much of each frame is written and read.")
    var touch: BenchTouch = .header

    @Option(help: .init("Interleaved rounds. Left out: 2.", valueName: "count"), transform: CountArgument.parse)
    var rounds = 2

    @Option(
        help: .init("How long each run lasts, roughly. Left out: 300ms.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var seconds: Duration = .milliseconds(300)

    @Flag(help: "One round of short runs, 1 reader, frames of 1M: a few seconds.")
    var quick = false

    @Option(help: .init("Also write the result as a web page.", valueName: "file"))
    var html: String?

    @Flag(help: "Replace a page that is there.")
    var overwrite = false

    @Flag(help: "Print the result as one JSON object.")
    var json = false

    func validate() throws {
        guard rate > 0 else { throw ValidationError("--rate: above 0; un-paced runs are made anyway") }
        guard rounds <= 1000 else { throw ValidationError("--rounds: at most 1000") }
        guard seconds >= .milliseconds(20), seconds <= .seconds(60) else {
            throw ValidationError("--seconds: from 20ms to 60s")
        }
    }

    func run() throws {
        let page = html.map { WholeFile(path: $0, overwrite: overwrite) }
        // Before all the work.
        try page?.checkPlace()
        // Made first, removed last: the readers find the folder by the environment.
        let folder = try DemoFolder()
        defer { folder.remove() }
        let stop = try StopRequest()
        var session = BenchSession(command: self, stop: stop)
        let result = try session.run()
        try stop.throwIfInterrupted()
        try page?.write(Array(BenchPage(result: result).html.utf8))
        if json {
            Terminal.output.writeLine(result.json.text)
        } else {
            for line in result.lines { Terminal.output.writeLine(line) }
        }
        let broken = result.rows.filter { $0.trouble != nil }
        if broken.count == result.rows.count {
            throw CommandFailure("no run could be made: \(broken.first?.trouble ?? "there were none")")
        }
    }
}

/// `1,8` and `900k,12M`.
enum ListArgument {
    static func counts(_ text: String) throws -> [Int] {
        let values = text.split(separator: ",", omittingEmptySubsequences: false).map { DecimalText.integer($0) }
        let counts = values.compactMap(\.self).filter { (1...16).contains($0) }
        guard counts.count == values.count else { throw ValidationError("give numbers from 1 to 16, such as 1,8") }
        return counts
    }

    static func sizes(_ text: String) throws -> [Int] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            let factor = part.hasSuffix("k") ? 1000 : part.hasSuffix("M") ? 1_000_000 : 1
            guard let number = DecimalText.number(factor == 1 ? part : part.dropLast()),
                (16...1e9).contains(number * Double(factor))
            else { throw ValidationError("give bytes from 16 to 1000M, such as 900k,12M") }
            return Int(number * Double(factor))
        }
    }
}
