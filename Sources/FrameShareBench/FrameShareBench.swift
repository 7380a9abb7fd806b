import ArgumentParser
import FrameCommand
import FrameShareCHeader

/// The program `frameshare-bench`: the commands of `frameshare` that measure, which runs it in its own place.
struct FrameShareBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "frameshare",
        abstract: "Measure how fast frames are handed over: what 'frameshare bench' runs.",
        version: String(cString: fs_c_version()),
        subcommands: [Bench.self, BenchPublisher.self, BenchSubscriber.self, BenchReader.self]
    )
}

@main
enum EntryPoint {
    static func main() { CommandEntry.run(FrameShareBench.self) }
}
