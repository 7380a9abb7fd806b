internal import Synchronization

extension ChannelMonitor {
    /// The controls of the channel's source, with what they are set to. Waits for the publisher's answer, which may be a
    /// driver's.
    /// - Throws: `controlsRefused` where the source has none, or is not there now.
    public func controls() throws(ChannelError) -> [CameraControl] {
        switch try answer(to: .list) {
        case .list(let controls): return controls
        case .outcomes, .refused: throw .protocolViolation("no controls")
        }
    }

    /// Sets controls of the channel's source, in this order, while frames go on. One that can't be set keeps none of the
    /// others from being set. With which frame they take effect is the source's affair: a frame's metadata tells.
    /// - Parameter settings: 1 to 64 of them
    /// - Returns: what became of each, in the same order
    /// - Throws: `controlsRefused` where the source has none, or where you may not set them.
    public func setControls(_ settings: [ControlSetting]) throws(ChannelError) -> [ControlOutcome] {
        guard (1...Message.maximumSettings).contains(settings.count) else {
            throw .controlsRefused(channel: channel, reason: "1 to \(Message.maximumSettings) can be set at a time")
        }
        guard case .outcomes(let outcomes) = try answer(to: .set(settings)),
            outcomes.map(\.name) == settings.map(\.name)
        else { throw .protocolViolation("no answer to these settings") }
        return outcomes
    }

    private func answer(to query: Message.ControlsQuery) throws(ChannelError) -> Message.ControlsAnswer {
        let number = nextNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let message = try ask(.controlsQuery(number: number, query), timeout: Self.driverTime) { message in
            if case .controlsAnswer(number, _) = message { true } else { false }
        }
        guard case .controlsAnswer(_, let answer) = message else { throw .protocolViolation("no answer") }
        if case .refused(let reason) = answer { throw .controlsRefused(channel: channel, reason: reason) }
        return answer
    }

    /// How long a driver may take: a USB camera's transfers end after 5 s each.
    private static var driverTime: Duration { .seconds(10) }
}
