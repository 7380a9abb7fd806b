internal import Synchronization

extension ChannelMonitor {
    /// The controls of the channel's source, with what they are set to. Waits for the publisher's answer, which may be a
    /// driver's.
    /// - Parameter timeout: how long to wait; a USB camera's transfers end after 5 s each
    /// - Throws: `controlsRefused` where the source has none, or is not there now.
    public func controls(timeout: Duration = .seconds(10)) throws(ChannelError) -> [CameraControl] {
        switch try answer(to: .list, timeout) {
        case .list(let controls): return controls
        case .outcomes, .refused: throw .protocolViolation("no controls")
        }
    }

    /// Sets controls of the channel's source, in this order, while frames go on. One that can't be set keeps none of the
    /// others from being set. With which frame they take effect is the source's affair: a frame's metadata tells.
    /// - Parameters:
    ///   - settings: 1 to 64 of them
    ///   - timeout: how long to wait for the driver; what it does after that is done all the same
    /// - Returns: what became of each, in the same order
    /// - Throws: `controlsRefused` where the source has none, or where you may not set them.
    public func setControls(
        _ settings: [ControlSetting],
        timeout: Duration = .seconds(10)
    ) throws(ChannelError) -> [ControlOutcome] {
        guard (1...Message.maximumSettings).contains(settings.count) else {
            throw .controlsRefused(channel: channel, reason: "1 to \(Message.maximumSettings) can be set at a time")
        }
        guard case .outcomes(let outcomes) = try answer(to: .set(settings), timeout),
            outcomes.map(\.name) == settings.map(\.name)
        else { throw .protocolViolation("no answer to these settings") }
        return outcomes
    }

    private func answer(
        to query: Message.ControlsQuery,
        _ timeout: Duration
    ) throws(ChannelError) -> Message.ControlsAnswer {
        let number = nextNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let message = try ask(.controlsQuery(number: number, query), timeout: timeout) { message in
            if case .controlsAnswer(number, _) = message { true } else { false }
        }
        guard case .controlsAnswer(_, let answer) = message else { throw .protocolViolation("no answer") }
        if case .refused(let reason) = answer { throw .controlsRefused(channel: channel, reason: reason) }
        return answer
    }
}
