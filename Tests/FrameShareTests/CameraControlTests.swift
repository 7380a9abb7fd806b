import Glibc
import Synchronization
import Testing

@testable import FrameShare

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
                // One text longer than may be, and two menus of which a message holds one.
                let long = String(repeating: "ä", count: Message.maximumControlText)
                let name = String(repeating: "n", count: 300)
                let items = (0..<Message.maximumItems + 1).map { CameraControl.Item(value: "\($0)", name: name) }
                return [CameraControl(name: "text", label: long, kind: .text)]
                    + ["a", "b"].map { CameraControl(name: $0, kind: .menu, items: items) }
            }
            func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
                throw .refused(String(repeating: "no ", count: Message.maximumControlText))
            }
        }
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let source = Wordy()
        try publisher.offerControls(of: source)
        let monitor = try channel.monitor()
        // Long texts take their time under a sanitizer, on a slow machine.
        let controls = try monitor.controls(timeout: .seconds(120))
        #expect(controls.map(\.name) == ["text", "a"])
        #expect(controls.map(\.items.count) == [0, Message.maximumItems])
        #expect(controls.first?.label == String(repeating: "ä", count: Message.maximumControlText / 2))
        let outcomes = try monitor.setControls((0..<64).map { ControlSetting("\($0)", "1") }, timeout: .seconds(120))
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

    // MARK: settings that the camera's own loop takes

    private static let knobs = [
        CameraControl(name: "level", kind: .integer, value: "10"),
        CameraControl(name: "serial", kind: .text, isReadOnly: true),
    ]

    @Test("a camera's loop takes settings when it likes, and says what became of each")
    func taken() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let queue = SettingQueue(Self.knobs)
        try publisher.offerControls(of: queue)
        let monitor = try channel.monitor()
        let asking = OwnThread {
            try monitor.setControls([
                ControlSetting("level", "7"), ControlSetting("serial", "1"), ControlSetting("level", "8"),
                ControlSetting("level", "9"),
            ])
        }
        let first = try present(try queue.nextBlocking(timeout: .seconds(60)))
        #expect(first.setting == ControlSetting("level", "7"))
        first.accept("6")
        first.refuse("what is told first counts")
        try present(try queue.nextBlocking(timeout: .seconds(60))).refuse("too bright")
        _ = try present(try queue.nextBlocking(timeout: .seconds(60)))
        #expect(
            try await asking.value.map(\.result) == [
                .success("6"), .failure(.refused("'serial' can only be read")), .failure(.refused("too bright")),
                .failure(.refused("the program that publishes did not say what became of it")),
            ]
        )
        #expect(try monitor.controls().map(\.value) == ["6", nil])
        #expect(throws: ChannelError.timedOut()) { _ = try queue.nextBlocking(timeout: .zero) }
        publisher.close()
        #expect(try queue.nextBlocking() == nil)
        #expect(throws: ControlError.sourceGone) { _ = try queue.listControls() }
    }

    @Test("a loop that takes no settings costs the first who asks a wait, and those behind it none")
    func notTaken() throws {
        let queue = SettingQueue(Self.knobs, patience: .milliseconds(200))
        let setting = ControlSetting("level", "7")
        let clock = ContinuousClock()
        for wait in [Duration.milliseconds(200), .zero] {
            let taken = clock.measure {
                #expect(throws: ControlError.self) { _ = try queue.setControl(setting) }
            }
            #expect(taken >= wait)
        }
        // It is not there any more for a loop that runs again; the next one is.
        #expect(throws: ChannelError.timedOut()) { _ = try queue.nextBlocking(timeout: .zero) }
        let loop = OwnThread {
            let request = try queue.nextBlocking()
            request?.accept("7")
        }
        var value: String?
        while value == nil { value = try? queue.setControl(setting) }
        #expect(value == "7")
        withExtendedLifetime(loop) {}
    }

    @Test("the end of the queue ends who waits in it, on either side, and its descriptor says so")
    func queueEnds() async throws {
        let queue = SettingQueue(Self.knobs)
        let descriptor = try queue.pollDescriptor
        #expect(!isReadable(descriptor))
        let asking = OwnThread { try queue.setControl(ControlSetting("level", "7")) }
        #expect(isReadable(descriptor, within: 60_000))
        queue.end()
        await #expect(throws: ControlError.sourceGone) { _ = try await asking.value }
        #expect(try queue.nextBlocking() == nil)
        #expect(isReadable(descriptor))
    }
}
