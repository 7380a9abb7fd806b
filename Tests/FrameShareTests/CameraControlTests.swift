import FrameShare
import Glibc
import Synchronization
import Testing

/// A source with a few controls that does as real ones do: rounds, refuses, goes away.
private final class KnobSource: ControllableSource {
    private let state = Mutex((level: 10, isThere: true))

    func unplug() { state.withLock { $0.isThere = false } }

    func listControls() throws(ControlError) -> [CameraControl] {
        let (level, isThere) = state.withLock { $0 }
        guard isThere else { throw .sourceGone }
        return [
            CameraControl(
                name: "level",
                label: "Level",
                kind: .integer,
                minimum: "0",
                maximum: "100",
                value: "\(level)"
            ),
            CameraControl(
                name: "pattern",
                kind: .menu,
                standard: "0",
                items: [.init(value: "0", name: "bars"), .init(value: "3", name: "grey ✓")],
                isReadOnly: true,
                isInactive: true
            ),
        ]
    }

    func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
        guard setting.name == "level" else { throw .refused("there is no control '\(setting.name)'") }
        guard let number = Int(setting.value) else { throw .refused("'\(setting.value)' is no level") }
        return try state.withLock { state throws(ControlError) in
            guard state.isThere else { throw .sourceGone }
            state.level = number / 2 * 2
            return "\(state.level)"
        }
    }
}

@Suite("A source's controls, from other processes", .timeLimit(.minutes(10)))
struct CameraControlTests {
    @Test("controls are listed as the source tells them")
    func list() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let source = KnobSource()
        try publisher.offerControls(of: source)
        let controls = try channel.monitor().controls()
        #expect(controls == (try source.listControls()))
    }

    @Test("each setting has its own outcome, in order, and one that is refused keeps no other from being set")
    func set() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let source = KnobSource()
        try publisher.offerControls(of: source)
        let monitor = try channel.monitor()
        let outcomes = try monitor.setControls([
            ControlSetting("level", "41"), ControlSetting("tint", "1"), ControlSetting("level", "loud"),
            ControlSetting("level", "77"),
        ])
        #expect(outcomes.map(\.name) == ["level", "tint", "level", "level"])
        #expect(
            outcomes.map(\.result) == [
                .success("40"), .failure(.refused("there is no control 'tint'")),
                .failure(.refused("'loud' is no level")), .success("76"),
            ]
        )
        #expect(try monitor.controls().first?.value == "76")
        // A monitor has its other use still.
        #expect(try monitor.snapshot().channel == channel.name)
    }

    @Test("without a source that has controls, or when it is gone, the answer says so")
    func none() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let monitor = try channel.monitor()
        let reason = ChannelError.controlsRefused(channel: channel.name, reason: "its source has no controls")
        #expect(throws: reason) { try monitor.controls() }
        do {
            let source = KnobSource()
            try publisher.offerControls(of: source)
            #expect(try monitor.controls().count == 2)
            source.unplug()
            #expect(throws: ChannelError.self) { try monitor.controls() }
            #expect(try monitor.setControls([ControlSetting("level", "1")]).map(\.result) == [.failure(.sourceGone)])
            withExtendedLifetime(source) {}
        }
        // It is not kept by the publisher.
        #expect(throws: reason) { try monitor.controls() }
    }

    @Test("who may not set may look", arguments: [ControlAccess.nobody, .owner, .everyone])
    func access(_ access: ControlAccess) throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.access.control = access }
        let source = KnobSource()
        try publisher.offerControls(of: source)
        let monitor = try channel.monitor()
        #expect(try monitor.controls().count == 2)
        if access == .nobody {
            #expect(throws: ChannelError.self) { try monitor.setControls([ControlSetting("level", "1")]) }
            #expect(try source.listControls().first?.value == "10")
        } else {
            #expect(try monitor.setControls([ControlSetting("level", "8")]).map(\.result) == [.success("8")])
        }
    }

    @Test("a list too long for a message is cut, and one of the longest texts arrives")
    func longLists() throws {
        final class Wordy: ControllableSource {
            func listControls() throws(ControlError) -> [CameraControl] {
                let word = String(repeating: "ä", count: 4000)
                return (0..<1000).map {
                    CameraControl(
                        name: "\($0)",
                        label: word,
                        kind: .menu,
                        items: (0..<300).map { .init(value: "\($0)", name: word) }
                    )
                }
            }
            func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
                throw .refused(String(repeating: "no ", count: 1000))
            }
        }
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let source = Wordy()
        try publisher.offerControls(of: source)
        let monitor = try channel.monitor()
        #expect(try monitor.controls().allSatisfy { $0.items.count == 256 })
        let outcomes = try monitor.setControls((0..<64).map { ControlSetting("\($0)", "1") })
        #expect(outcomes.count == 64)
        #expect(throws: ChannelError.self) { try monitor.setControls([]) }
        #expect(throws: ChannelError.self) {
            try monitor.setControls(.init(repeating: ControlSetting("a", "b"), count: 65))
        }
    }

    @Test("a driver that takes its time holds up nobody else")
    func slowDriver() async throws {
        final class Slow: ControllableSource {
            let began = Atomic<Bool>(false)
            let mayGo = Atomic<Bool>(false)
            func listControls() throws(ControlError) -> [CameraControl] {
                began.store(true, ordering: .releasing)
                while !mayGo.load(ordering: .acquiring) { usleep(1000) }
                return []
            }
            func setControl(_ setting: ControlSetting) throws(ControlError) -> String { setting.value }
        }
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let source = Slow()
        try publisher.offerControls(of: source)
        let waiting = try channel.monitor()
        let answer = OwnThread { try waiting.controls() }
        while !source.began.load(ordering: .acquiring) { usleep(1000) }
        // The control thread answers others, lets a subscriber in, and sees its release.
        #expect(try channel.monitor().snapshot().channel == channel.name)
        let subscriber = try channel.subscriber()
        try publisher.send(7)
        #expect(try subscriber.drain() == [7])
        source.mayGo.store(true, ordering: .releasing)
        #expect(try await answer.value.isEmpty)
    }
}
