import FrameShare
import Glibc
import Synchronization
import Testing

/// The last reference to something large may go anywhere: under no lock, and on no thread that its end waits for.
@Suite("Last references", .timeLimit(.minutes(10)))
struct LastReferenceTests {
    /// A camera as programs have it: it owns its publisher, and is its source of controls.
    private final class Camera: ControllableSource {
        let publisher: Publisher
        init(_ publisher: Publisher) throws {
            self.publisher = publisher
            try publisher.offerControls(of: self)
        }
        func listControls() throws(ControlError) -> [CameraControl] {
            [CameraControl(name: "level", kind: .integer)]
        }
        func setControl(_ setting: ControlSetting) throws(ControlError) -> String { setting.value }
    }

    @Test("a monitor asks for controls while the camera, and its publisher with it, goes away")
    func askedWhileItEnds() async throws {
        let channel = try TestChannel()
        for round in 0..<150 {
            var camera: Camera? = try Camera(try channel.publisher())
            let monitors = (try channel.monitor(), try channel.monitor())
            let asking = [monitors.0, monitors.1].map { monitor in
                OwnThread { while (try? monitor.controls()) != nil {} }
            }
            if round % 3 == 0 { try await Task.sleep(for: .microseconds(round * 20)) }
            #expect(camera != nil)
            camera = nil
            for one in asking { try await one.value }
        }
    }

    @Test("a setting holds the camera's last reference, and with it the publisher's")
    func settingIsLast() async throws {
        final class Gate: Sendable {
            let isSetting = Atomic(false)
            let mayEnd = Atomic(false)
        }
        final class Slow: ControllableSource {
            let publisher: Publisher
            let gate: Gate
            init(_ publisher: Publisher, _ gate: Gate) { (self.publisher, self.gate) = (publisher, gate) }
            func listControls() throws(ControlError) -> [CameraControl] { [] }
            func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
                gate.isSetting.store(true, ordering: .releasing)
                while !gate.mayEnd.load(ordering: .acquiring) { usleep(100) }
                return setting.value
            }
        }
        let channel = try TestChannel()
        let gate = Gate()
        var camera: Slow? = Slow(try channel.publisher(), gate)
        try camera?.publisher.offerControls(of: camera)
        let monitor = try channel.monitor()
        let asking = OwnThread { try? monitor.setControls([ControlSetting("level", "1")]) }
        while !gate.isSetting.load(ordering: .acquiring) { usleep(100) }
        camera = nil
        gate.mayEnd.store(true, ordering: .releasing)
        _ = try await asking.value
        // The publisher has ended with it.
        try await eventually { access(channel.directory.path + "/\(channel.name).sock", F_OK) != 0 }
    }

    /// Says goodbye as it ends, by what it was given to.
    private final class Farewell: Sendable {
        private let say: @Sendable () -> Void
        init(_ say: @escaping @Sendable () -> Void) { self.say = say }
        deinit { say() }
    }

    @Test("what a cancellation's action refers to may use the request as it ends")
    func cancellationAction() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let said = Atomic(0)
        let worker = try GroupWorker(channel) { _, request in
            for _ in 0..<2 {
                let farewell = Farewell {
                    try? request.progress(.bytes([1]))
                    request.whenCancelled {}
                    said.add(1, ordering: .relaxed)
                }
                request.whenCancelled { withExtendedLifetime(farewell) {} }
            }
            try request.answer(.done)
        }
        let pending = try publisher.submit("g", try publisher.nextSlotBlocking())
        #expect(try await pending.answer.reply == .done)
        try await eventually { said.load(ordering: .relaxed) == 2 }
        withExtendedLifetime(worker) {}
    }

    @Test("what a cancellation's action refers to may use the subscriber as its connection is replaced")
    func replacedConnection() async throws {
        let channel = try TestChannel()
        let first = try channel.publisher()
        let subscriber = try channel.subscriber {
            $0.reconnect = true
            $0.group = "g"
        }
        let said = Atomic(false)
        do {
            try first.send(1)
            let frame = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
            let farewell = Farewell {
                _ = subscriber.statistics
                said.store(true, ordering: .relaxed)
            }
            frame.request?.whenCancelled { withExtendedLifetime(farewell) {} }
        }
        first.close()
        let second = try channel.publisher()
        try await eventually {
            _ = try second.trySend(2)
            return (try? subscriber.nextBlocking(timeout: .milliseconds(5))?.number) != nil
        }
        try await eventually { said.load(ordering: .relaxed) }
    }
}
