import FrameCommand
import FrameJSON
import FrameShare
import Glibc
import Subprocess
import Synchronization

/// `frameshare publish --restart`: keeps a publisher process running. A camera's library may abort its process; subscribers
/// that reconnect find the channel again.
struct PublisherSupervisor {
    let channel: String
    let json: Bool
    /// After how long it ends, however often the publisher was started; nil: with the publisher.
    let seconds: Duration?
    let stop: StopRequest

    /// Runs this very command without `--restart`, again and again, until it ends in order or its arguments prove wrong.
    /// - Throws: `CommandFailure` with the publisher's exit code, when that was not 0
    func run() throws {
        let last = Mutex<TerminationStatus?>(nil)
        let supervisor = WorkerSupervisor(
            command: try Self.command(),
            channel: channel,
            group: nil,
            count: 1,
            grace: .seconds(10),
            longestDelay: .seconds(10),
            isFinal: { $0 == .exited(0) || $0 == .exited(CommandFailure.Code.usage.rawValue) },
            report: { [json] event in
                guard case .ended(let status, _, let again) = event.kind else { return }
                last.withLock { $0 = status }
                if again != nil { Terminal.errors.writeLine(json ? event.json.text : "the publisher: \(event.text)") }
            }
        )
        let task = try BlockingTask { try await supervisor.run() }
        stop.whenStopped { task.cancel() }
        // A publisher whose camera did not come in that time has failed: it would be started again.
        if let seconds { try stop.after(seconds) { task.cancel() } }
        try task.wait()
        // What was wrong, the publisher has said itself.
        if last.withLock({ $0 }) == .exited(CommandFailure.Code.usage.rawValue) {
            throw CommandFailure("the publisher's arguments are refused: it is not started again", code: .usage)
        }
    }

    /// Its input ends with this process, and so does it.
    private static func command() throws -> [String] {
        var room = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &room, room.count - 1)
        guard length > 0 else {
            throw CommandFailure("/proc/self/exe can't be read: \(String(cString: strerror(errno)))")
        }
        let program = PathText.text(room[..<length].map { UInt8(bitPattern: $0) })
        let arguments = CommandArguments.texts.filter { $0 != "--restart" && $0 != "--stop-at-eof" }
        return [program] + arguments + ["--stop-at-eof"]
    }
}
