import FrameCommand
import FrameView
import Synchronization

/// A view's server beside something else that a command does.
final class BackgroundView: Sendable {
    private enum State {
        case starting
        case running(port: Int)
        case ended
    }
    private let server: ViewServer
    private let state = Mutex(State.starting)
    private let task = Mutex<BlockingTask?>(nil)

    /// Serves on port 8080 of this machine alone, or on another where that is taken.
    /// - Returns: nil where this build or this machine has no view: what is shown besides needs none
    static func start(stop: StopRequest) -> BackgroundView? {
        for port in [8080, 0] {
            var options = ViewServer.Options()
            options.port = port
            guard let server = try? ViewServer(options: options) else { return nil }
            let view = BackgroundView(server)
            if view.runs(stop) { return view }
        }
        return nil
    }

    private init(_ server: ViewServer) { self.server = server }

    private func runs(_ stop: StopRequest) -> Bool {
        let task = try? BlockingTask { [self] in
            try? await server.run { [self] port in state.withLock { $0 = .running(port: port) } }
            state.withLock { $0 = .ended }
        }
        self.task.withLock { $0 = task }
        guard task != nil else { return false }
        while true {
            switch state.withLock({ $0 }) {
            case .running: return true
            case .ended: return false
            case .starting: guard stop.sleep(nanoseconds: 10_000_000) else { return false }
            }
        }
    }

    /// What a browser takes; nil once it has ended.
    var address: String? {
        if case .running(let port) = state.withLock({ $0 }) { "http://127.0.0.1:\(port)/" } else { nil }
    }

    /// Ends it, and returns when it has ended.
    func end() {
        server.stop()
        try? task.withLock { $0 }?.wait()
    }
}
