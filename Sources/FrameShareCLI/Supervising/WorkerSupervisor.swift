import FrameCommand
import FrameShare
@preconcurrency import Glibc
import Subprocess
import SystemPackage

/// Starts worker processes, starts those again that die, and ends them all in order when its task is cancelled.
///
/// Each has a process group of its own, so that Ctrl-C reaches this process alone. Their standard input is a pipe that ends
/// with this process, however it ends: a `FrameWorker` stops then.
struct WorkerSupervisor: Sendable {
    let command: [String]
    let channel: String
    let group: String?
    /// At most so many frames a second for all of them together.
    var rate: Double? = nil
    let count: Int
    /// How long a worker may take to finish when it is asked to.
    let grace: Duration
    let longestDelay: Duration
    /// After which end one is not started again: 0 is an end in order.
    var isFinal: @Sendable (TerminationStatus) -> Bool = { $0 == .exited(0) }
    let report: @Sendable (WorkerEvent) -> Void

    /// Runs until every worker has ended in order, or until the task is cancelled.
    /// - Throws: `CommandFailure` when the command can't be started at all.
    func run() async throws {
        let pipe = try Pipe()
        defer { for end in [pipe.read, pipe.write] { close(end) } }
        let input = FileDescriptor(rawValue: pipe.read)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<count { group.addTask { try await keep(worker, input) } }
            // The first that can't be started ends the others.
            do { try await group.waitForAll() } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    private func keep(_ worker: Int, _ input: FileDescriptor) async throws {
        var delay = RestartDelay(longest: longestDelay)
        while !Task.isCancelled {
            let began = ContinuousClock.now
            guard let status = try await runOnce(worker, input) else { return }
            let lived = began.duration(to: .now)
            if Task.isCancelled || isFinal(status) {
                // In order: it was asked to, or its channel has ended.
                report(WorkerEvent(worker: worker, kind: .ended(status, lived: lived, again: nil)))
                return
            }
            let pause = delay.afterRun(of: lived)
            report(WorkerEvent(worker: worker, kind: .ended(status, lived: lived, again: pause)))
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    /// One life of a worker; nil when it was cancelled before it began.
    private func runOnce(_ worker: Int, _ input: FileDescriptor) async throws -> TerminationStatus? {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: grace)]
        let (program, arguments) = try Self.executable(command)
        do {
            let result = try await Subprocess.run(
                program,
                arguments: Arguments(arguments.map { Self.bytes($0) + [0] }),
                environment: environment(of: worker),
                platformOptions: options,
                input: .fileDescriptor(input, closeAfterSpawningProcess: false),
                output: .currentStandardOutput,
                error: .currentStandardError
            ) { execution in
                report(WorkerEvent(worker: worker, kind: .started(pid: execution.processIdentifier.value)))
            }
            return result.terminationStatus
        } catch is CancellationError {
            return nil
        } catch let error as SubprocessError {
            throw CommandFailure("\(command[0]) can't be started: \(error)")
        }
    }

    private static func bytes(_ text: String) -> [UInt8] {
        PathText.cString(text).dropLast().map { UInt8(bitPattern: $0) }
    }

    /// What to start. `Subprocess` takes the names of programs as text: the shell starts one whose name is none.
    private static func executable(_ command: [String]) throws(CommandFailure) -> (Executable, [String]) {
        let program = command[0]
        if bytes(program).elementsEqual(program.utf8) {
            return (program.contains("/") ? .path(FilePath(program)) : .name(program), Array(command.dropFirst()))
        }
        if program.contains("/"), access(PathText.cString(program), X_OK) != 0 {
            throw CommandFailure("\(program) can't be started: \(String(cString: strerror(errno)))")
        }
        return (.path("/bin/sh"), ["-c", "exec \"$0\" \"$@\""] + command)
    }

    /// This process's own environment, byte for byte, and what a worker finds in it.
    private func environment(of worker: Int) -> Environment {
        var added = [("FRAMESHARE_CHANNEL", channel), ("FRAMESHARE_WORKER", "\(worker)")]
        if let group { added.append(("FRAMESHARE_GROUP", group)) }
        if let rate { added.append(("FRAMESHARE_RATE", "\(rate)")) }
        let names = added.map { Array("\($0.0)=".utf8) }
        var entries: [[UInt8]] = []
        var next = environ
        while let entry = next.pointee {
            let bytes = Array(UnsafeRawBufferPointer(start: entry, count: strlen(entry)))
            // What `Subprocess` would refuse: without a name or a value, or with a name that begins with a digit.
            let isVariable =
                bytes.contains(UInt8(ascii: "=")) && bytes.first != UInt8(ascii: "=")
                && !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[0])
            if isVariable, !names.contains(where: { bytes.starts(with: $0) }) { entries.append(bytes + [0]) }
            next += 1
        }
        return .custom(entries + zip(names, added).map { $0 + Self.bytes($1.1) + [0] })
    }
}
