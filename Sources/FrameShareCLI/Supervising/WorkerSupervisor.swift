import Glibc
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
        var variables: [Environment.Key: String?] = ["FRAMESHARE_CHANNEL": channel, "FRAMESHARE_WORKER": "\(worker)"]
        if let group { variables["FRAMESHARE_GROUP"] = group }
        let program = command[0]
        do {
            let result = try await Subprocess.run(
                program.contains("/") ? .path(FilePath(program)) : .name(program),
                arguments: Arguments(Array(command.dropFirst())),
                environment: .inherit.updating(variables),
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
            throw CommandFailure("\(program) can't be started: \(error)")
        }
    }
}
