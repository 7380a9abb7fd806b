internal import Synchronization

/// A source's controls for programs that set them on a thread of their own: what others ask for waits until the
/// camera's loop takes it, between two frames, and says what became of it.
package final class SettingQueue: ControllableSource {
    private struct State {
        var controls: [CameraControl]
        var waiting: [SettingRequest] = []
        /// Nobody took a setting in time: until then those that follow are refused at once.
        var forgottenUntil: Deadline?
        var hasEnded = false
    }
    private let state: Mutex<State>
    private let arrived = ArrivalSignal()
    private let patience: Duration

    /// - Parameter patience: How long a setting waits for its outcome. A monitor waits for 10 s in all.
    package init(_ controls: [CameraControl], patience: Duration = .seconds(5)) {
        state = Mutex(State(controls: controls))
        self.patience = patience
    }

    /// Lists these from now on.
    package func update(_ controls: [CameraControl]) { state.withLock { $0.controls = controls } }

    package func listControls() throws(ControlError) -> [CameraControl] {
        let controls = state.withLock { $0.hasEnded ? nil : $0.controls }
        guard let controls else { throw .sourceGone }
        return controls
    }

    package func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
        let outcome = SettingOutcome()
        let refused: ControlError? = state.withLock { state in
            if state.hasEnded { return .sourceGone }
            guard let control = state.controls.first(where: { $0.name == setting.name }) else {
                return .refused("there is no control '\(setting.name)'")
            }
            if control.isReadOnly { return .refused("'\(setting.name)' can only be read") }
            if let until = state.forgottenUntil, !until.hasPassed { return .refused(Self.notTaken) }
            state.waiting.append(SettingRequest(setting, outcome))
            return nil
        }
        if let refused { throw refused }
        arrived.note()
        guard let result = outcome.wait(until: Deadline(after: patience)) else {
            let wasTaken = state.withLock { state in
                guard let index = state.waiting.firstIndex(where: { $0.outcome === outcome }) else { return true }
                state.waiting.remove(at: index)
                state.forgottenUntil = Deadline(after: patience)
                return false
            }
            let late = "the program that publishes did not say within \(patience) what became of it"
            throw .refused(wasTaken ? late : Self.notTaken)
        }
        let value = try result.get()
        state.withLock { state in
            guard let index = state.controls.firstIndex(where: { $0.name == setting.name }) else { return }
            state.controls[index].value = value
        }
        return value
    }

    private static var notTaken: String {
        "the program that publishes takes no settings; is its camera's loop running?"
    }

    package func publisherHasEnded() { end() }

    /// What waits is refused, and who waits for a setting gets nil.
    package func end() {
        let waiting = state.withLock { state in
            state.hasEnded = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for request in waiting { request.outcome.tell(.failure(.sourceGone)) }
        arrived.note()
    }

    /// The next setting that somebody asks for, waiting on the calling thread.
    /// - Returns: nil once the channel has ended
    /// - Throws: `timedOut`.
    package func nextBlocking(timeout: Duration? = nil) throws(ChannelError) -> SettingRequest? {
        let found: SettingRequest?? = arrived.wait(until: Deadline(after: timeout)) {
            state.withLock { state -> SettingRequest?? in
                state.forgottenUntil = nil
                if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
                return state.hasEnded ? .some(nil) : nil
            }
        }
        guard let found else { throw .timedOut() }
        return found
    }

    /// For event loops: an eventfd (read it to clear it), readable when ``nextBlocking(timeout:)`` should be called, until
    /// that has nothing to return. It belongs to this object: don't close it.
    /// - Throws: `outOfDescriptors`, `system`.
    package var pollDescriptor: Int32 {
        get throws(ChannelError) {
            try arrived.descriptor { state.withLock { !$0.waiting.isEmpty || $0.hasEnded } }
        }
    }
}

/// A setting that somebody asks for. Where nothing is said of it, it is refused when this goes.
package final class SettingRequest: Sendable {
    package let setting: ControlSetting
    fileprivate let outcome: SettingOutcome

    fileprivate init(_ setting: ControlSetting, _ outcome: SettingOutcome) {
        (self.setting, self.outcome) = (setting, outcome)
    }

    deinit { outcome.tell(.failure(.refused("the program that publishes did not say what became of it"))) }

    /// It is set, to this value, as the source spells it.
    package func accept(_ value: String) { outcome.tell(.success(value)) }

    /// It is not, and why.
    package func refuse(_ reason: String) { outcome.tell(.failure(.refused(reason))) }
}

/// What became of a setting, between who sets it and who waits for that. What is told first counts.
private final class SettingOutcome: Sendable {
    private let result = Mutex<Result<String, ControlError>?>(nil)
    private let told = ArrivalSignal()

    func tell(_ outcome: Result<String, ControlError>) {
        result.withLock { $0 = $0 ?? outcome }
        told.note()
    }

    func wait(until deadline: Deadline) -> Result<String, ControlError>? {
        told.wait(until: deadline) { result.withLock { $0 } }
    }
}
