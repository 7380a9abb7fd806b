public import Foundation
import Glibc

/// One run of the built `frameshare`, which lies beside the test bundle, or of another program.
public final class CommandRun: Sendable {
    public struct Outcome: Sendable {
        public var outputBytes: Data
        public var errors: String
        /// The exit code; negative: the signal that ended it.
        public var code: Int32

        /// What it wrote, where that is text.
        public var output: String { String(decoding: outputBytes, as: UTF8.self) }
    }

    /// The built `frameshare`.
    public static let executable = built("frameshare")

    /// A program that was built with the tests.
    public static func built(_ name: String) -> URL {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name)
    }

    /// A program of the machine, by name; nil where it is not installed.
    public static func installed(_ name: String) -> URL? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { URL(fileURLWithPath: "\($0)/\(name)") }.first { access($0.path, X_OK) == 0 }
    }

    private let process: Process
    private let errorFile: URL
    private let input = Pipe()

    /// Where its output goes.
    public let outputFile: URL

    /// Starts `frameshare ARGUMENTS`, or another program, with its channels in `folder`.
    /// - Parameter inputFile: is its standard input; nil: a pipe, see ``closeInput()``
    public init(
        _ arguments: [String],
        of program: URL = executable,
        in folder: ChannelFolder,
        environment extra: [String: String] = [:],
        inputFile: URL? = nil
    ) throws {
        process = Process()
        process.executableURL = program
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
        if let inputFile {
            process.standardInput = try FileHandle(forReadingFrom: inputFile)
        } else {
            process.standardInput = input
        }
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        // Tests run on threads with all signals blocked, which the program would inherit.
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    public var pid: pid_t { process.processIdentifier }

    public var isRunning: Bool { process.isRunning }

    /// What it has written so far.
    public var outputSoFar: String { String(decoding: Self.bytes(of: outputFile), as: UTF8.self) }

    /// What it has written to standard error so far.
    public var errorsSoFar: String { String(decoding: Self.bytes(of: errorFile), as: UTF8.self) }

    /// Through a handle: reading an empty file whole leaks in Foundation, which the address sanitizer would blame us for.
    private static func bytes(of file: URL) -> Data {
        guard let handle = try? FileHandle(forReadingFrom: file) else { return Data() }
        defer { try? handle.close() }
        return (try? handle.readToEnd()) ?? Data()
    }

    public func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Sends SIGSTOP, and waits until the kernel says that it is stopped.
    public func stop() {
        send(SIGSTOP)
        // After the name in parentheses.
        func state() -> Character? {
            let stat = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)
            return stat?.split(separator: ")").last?.dropFirst().first
        }
        while process.isRunning, state() != "T" { usleep(2000) }
    }

    public func closeInput() { try? input.fileHandleForWriting.close() }

    public func wait() -> Outcome {
        process.waitUntilExit()
        let isSignal = process.terminationReason == .uncaughtSignal
        return Outcome(
            outputBytes: Self.bytes(of: outputFile),
            errors: errorsSoFar,
            code: isSignal ? -process.terminationStatus : process.terminationStatus
        )
    }

    deinit { if process.isRunning { process.terminate() } }
}

/// Runs a command to its end.
public func frameshare(
    _ arguments: String...,
    in folder: ChannelFolder,
    environment: [String: String] = [:]
) throws -> CommandRun.Outcome {
    try CommandRun(arguments, in: folder, environment: environment).wait()
}

/// Waits until something holds; the watchdog is the test's time limit.
public func eventually(_ holds: () throws -> Bool) rethrows {
    while try !holds() { usleep(20_000) }
}
