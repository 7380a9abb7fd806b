import ArgumentParser
import FrameCommand
import FrameShare
import Glibc

/// The program `frameshare-bench`, which does the work of the commands under "Measure". It is apart, since what it compares
/// FrameShare with is of no use to those who share cameras.
enum BenchProgram {
    private static let commands = [Bench.name, BenchPublisher.name, BenchSubscriber.name]

    /// Becomes that program where its work is asked for, or its help.
    static func runIfAsked(_ arguments: [String]) throws(CommandFailure) {
        let command = arguments.first == "help" ? arguments.dropFirst().first : arguments.first
        guard let command, commands.contains(command) else { return }
        try run(arguments)
    }

    static func run(_ arguments: [String]) throws(CommandFailure) {
        // Beside this program, as it is built and installed.
        let path = folder + "/frameshare-bench"
        var words: [UnsafeMutablePointer<CChar>?] = (["frameshare"] + arguments).map { strdup(PathText.cString($0)) }
        words.append(nil)
        defer { for word in words { free(word) } }
        execv(PathText.cString(path), words)
        let reason = String(cString: strerror(errno))
        throw CommandFailure(
            "\(path) does what is to be measured, and can't be run: \(reason). Install it beside frameshare"
        )
    }

    private static var folder: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = PathText.text(buffer.prefix(max(0, length)).map { UInt8(bitPattern: $0) })
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}

/// `frameshare bench`: see ``BenchProgram``. So that `--help`, the manual and completions name it.
struct Bench: ParsableCommand {
    static let name = "bench"
    static let configuration = CommandConfiguration(
        abstract: "Measure this machine: how fast can frames be handed over here?",
        discussion: "'frameshare bench --help' tells its options. The program frameshare-bench does the work."
    )

    @Argument(parsing: .captureForPassthrough, help: .init("", visibility: .hidden))
    var arguments: [String] = []

    func run() throws { try BenchProgram.run([Self.name] + arguments) }
}

/// `frameshare bench-publisher`
struct BenchPublisher: ParsableCommand {
    static let name = "bench-publisher"
    static let configuration = CommandConfiguration(
        commandName: name,
        abstract: "One side of a benchmark: publish, and say what it cost.",
        discussion: "'frameshare bench-publisher --help' tells its options. The program frameshare-bench does the work."
    )

    @Argument(parsing: .captureForPassthrough, help: .init("", visibility: .hidden))
    var arguments: [String] = []

    func run() throws { try BenchProgram.run([Self.name] + arguments) }
}

/// `frameshare bench-subscriber`
struct BenchSubscriber: ParsableCommand {
    static let name = "bench-subscriber"
    static let configuration = CommandConfiguration(
        commandName: name,
        abstract: "The other side of a benchmark: read, and say what it cost.",
        discussion:
            "'frameshare bench-subscriber --help' tells its options. The program frameshare-bench does the work."
    )

    @Argument(parsing: .captureForPassthrough, help: .init("", visibility: .hidden))
    var arguments: [String] = []

    func run() throws { try BenchProgram.run([Self.name] + arguments) }
}
