import Foundation
import Glibc
import Synchronization

/// One run of the built `frameshare`, which lies beside the test bundle.
final class CommandRun: Sendable {
    struct Outcome: Sendable {
        var output: String
        var outputBytes: Data
        var errors: String
        /// The exit code; negative: the signal that ended it.
        var code: Int32
    }

    static let executable: URL = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("frameshare")
    }()

    private let process: Process
    private let outputFile: URL
    private let errorFile: URL
    private let input = Pipe()

    /// Starts `frameshare ARGUMENTS` with its channels in `folder`.
    init(_ arguments: [String], in folder: ChannelFolder, environment extra: [String: String] = [:]) throws {
        process = Process()
        process.executableURL = Self.executable
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["FRAMESHARE_DIR"] = folder.path
        environment["NO_COLOR"] = nil
        environment["COLUMNS"] = nil
        environment.merge(extra) { $1 }
        process.environment = environment
        // Files rather than pipes: nothing has to read while the command runs.
        outputFile = folder.scratchFile()
        errorFile = folder.scratchFile()
        for file in [outputFile, errorFile] { try Data().write(to: file) }
        process.standardInput = input
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.run()
    }

    var pid: pid_t { process.processIdentifier }

    var isRunning: Bool { process.isRunning }

    /// What it has written so far.
    var outputSoFar: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    func closeInput() { try? input.fileHandleForWriting.close() }

    func wait() -> Outcome {
        process.waitUntilExit()
        let data = (try? Data(contentsOf: outputFile)) ?? Data()
        let isSignal = process.terminationReason == .uncaughtSignal
        return Outcome(
            output: String(decoding: data, as: UTF8.self),
            outputBytes: data,
            errors: (try? String(contentsOf: errorFile, encoding: .utf8)) ?? "",
            code: isSignal ? -process.terminationStatus : process.terminationStatus
        )
    }

    deinit { if process.isRunning { process.terminate() } }
}

/// Runs a command to its end.
func frameshare(
    _ arguments: String...,
    in folder: ChannelFolder,
    environment: [String: String] = [:]
) throws -> CommandRun.Outcome {
    try CommandRun(arguments, in: folder, environment: environment).wait()
}

/// Waits until something holds; the watchdog is the test's time limit.
func eventually(_ holds: () throws -> Bool) rethrows {
    while try !holds() { usleep(20_000) }
}
