import FrameCommand
import FrameJSON
import Subprocess

/// What happened to one of the workers that `frameshare workers` keeps.
struct WorkerEvent: Sendable {
    enum Kind: Sendable {
        case started(pid: Int32)
        /// With the pause before it is started again; nil: it is not.
        case ended(TerminationStatus, lived: Duration, again: Duration?)
    }
    /// From 0.
    let worker: Int
    let kind: Kind

    /// For people.
    var text: String {
        switch kind {
        case .started(let pid): return "worker \(worker) started, pid \(pid)"
        case .ended(let status, let lived, let again):
            let ran = Quantities.time(nanoseconds: lived.nanoseconds)
            let next = again.map { "; starts again in \(Quantities.time(nanoseconds: $0.nanoseconds))" } ?? ""
            return "worker \(worker) \(status.text) after \(ran)\(next)"
        }
    }

    var json: JSONValue {
        switch kind {
        case .started(let pid):
            .object(["event": "started", "worker": .number(worker), "pid": .number(pid)])
        case .ended(let status, let lived, let again):
            .object([
                "event": "ended", "worker": .number(worker),
                "exit_code": status.exitCode.map { .number($0) } ?? .null,
                "signal": status.signal.map { .number($0) } ?? .null,
                "lived_ns": .number(lived.nanoseconds),
                "again_in_ns": again.map { .number($0.nanoseconds) } ?? .null,
            ])
        }
    }
}

extension TerminationStatus {
    var exitCode: Int32? { if case .exited(let code) = self { code } else { nil } }
    var signal: Int32? { if case .signaled(let number) = self { number } else { nil } }

    var text: String {
        switch self {
        case .exited(let code): "ended with exit code \(code)"
        case .signaled(let number): "was ended by signal \(number)"
        }
    }
}
