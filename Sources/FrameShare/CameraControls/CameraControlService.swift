internal import Glibc
internal import Synchronization

/// Answers what monitors ask of the source's controls, on a thread of its own: a driver may take its time, a USB camera
/// up to seconds, and the control thread serves everyone.
final class CameraControlService: Sendable {
    private struct State {
        weak var source: (any ControllableSource)?
        /// Whether a source was given. A look at `source` makes a reference, which may be the last: then the source, and with
        /// it its publisher, would end on the looking thread. Only threads that no publisher waits for may look.
        var isOffered = false
        var runs = false
        /// Requests that wait for their answer.
        var pending = 0
    }
    private let access: ControlAccess
    private let state = Mutex(State())
    private let queue = ClosureQueue()

    /// Requests beyond this many at a time are refused: what one peer floods must not pile up.
    private static let mostPending = 32

    init(access: ControlAccess) { self.access = access }

    /// Offers a source's controls from now on; nil: none.
    func offer(_ source: (any ControllableSource)?) throws(ChannelError) {
        let mustStart = state.withLock { state in
            state.source = source
            state.isOffered = source != nil
            defer { if source != nil { state.runs = true } }
            return source != nil && !state.runs
        }
        if mustStart { try BackgroundThread.start(name: "fs-source") { [queue] in queue.run() } }
    }

    /// Lets the thread end, and the source know.
    func stop() {
        queue.stop()
        state.withLock { $0.source }?.publisherHasEnded()
    }

    /// Answers over `socket`, now or later.
    func answer(_ query: Message.ControlsQuery, number: UInt32, user: UInt32, on socket: ControlSocket) {
        let refused: String? = state.withLock { state in
            if !state.isOffered { return Self.noControls }
            if case .set = query, let reason = refusal(of: user) { return reason }
            if state.pending >= Self.mostPending { return "\(Self.mostPending) requests wait already; ask again later" }
            state.pending += 1
            return nil
        }
        if let refused {
            socket.send(.controlsAnswer(number: number, .refused(refused)))
            return
        }
        _ = queue.submit { [self] in
            let answer = answerNow(query)
            socket.send(.controlsAnswer(number: number, answer))
        }
    }

    private static let noControls = "its source has no controls"

    /// On the service's own thread. The source is let go of before the answer is sent, and outside of the lock: where this
    /// reference is the last, the publisher ends here.
    private func answerNow(_ query: Message.ControlsQuery) -> Message.ControlsAnswer {
        let source = state.withLock { state in
            state.pending -= 1
            return state.source
        }
        return source.map { Self.answer(query, by: $0) } ?? .refused(Self.noControls)
    }

    private func refusal(of user: UInt32) -> String? {
        switch access {
        case .everyone: nil
        case .owner where user == geteuid() || user == 0: nil
        case .owner: "only user \(geteuid()), who publishes, may set its controls, and you are user \(user)"
        case .nobody: "its publisher lets nobody set its controls"
        }
    }

    private static func answer(
        _ query: Message.ControlsQuery,
        by source: any ControllableSource
    ) -> Message.ControlsAnswer {
        switch query {
        case .list:
            do throws(ControlError) {
                return .list(try source.listControls())
            } catch {
                return .refused(error.description)
            }
        case .set(let settings):
            return .outcomes(
                settings.map { setting in
                    do throws(ControlError) {
                        return ControlOutcome(name: setting.name, result: .success(try source.setControl(setting)))
                    } catch {
                        return ControlOutcome(name: setting.name, result: .failure(error))
                    }
                }
            )
        }
    }
}

/// A source whose controls a publisher offers to other processes, by ``Publisher/offerControls(of:)``.
///
/// Its methods are called on a thread of the publisher's own, one at a time, and may take as long as a driver does.
public protocol ControllableSource: AnyObject, Sendable {
    /// The controls that it has now, with what they are set to.
    func listControls() throws(ControlError) -> [CameraControl]

    /// Sets a control while frames go on.
    /// - Returns: the value that it has now
    func setControl(_ setting: ControlSetting) throws(ControlError) -> String

    /// The channel has ended: nothing more will be asked. Called on any thread, also while one of the others runs. Does
    /// nothing unless you say otherwise.
    func publisherHasEnded()
}

extension ControllableSource {
    public func publisherHasEnded() {}
}
