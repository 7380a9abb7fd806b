import CommandTesting
import Foundation
import FrameShare
import FrameSources
import Glibc
import Synchronization
import Testing

extension RealDrivers {
    /// Debian's libcamera with its uvcvideo pipeline, and the USB camera.
    @Suite(
        "libcamera",
        .enabled(if: LibcameraSystem.version != nil, "this build is without libcamera (trait Libcamera)")
    )
    struct Libcamera {
        /// Its own memory, since this pipeline makes four buffers and no more.
        private static let size = [
            "--source", "libcamera", "--size", "640x480", "--slots", "12", "--memory", "heap:system",
        ]

        private static func plugIn(_ folder: ChannelFolder) throws -> USBCamera {
            try UdevRecords.prepare()
            let usb = try USBCamera(rate: 5, folder: folder)
            try UdevRecords.write()
            return usb
        }

        @Test("three processes read every pixel as libcamera's driver wrote it, with libcamera's metadata")
        func everyPixel() throws {
            let folder = try ChannelFolder()
            let usb = try Self.plugIn(folder)
            defer { usb.unplug() }
            let scene = try Scene(Self.size + ["--checksum"], folder: folder)
            let watchers = try Scene.policies.map { try scene.watch($0, "--verify") }
            try scene.wait(for: watchers, frames: 4)
            let statistics = try #require(try scene.statistics)
            let stream = try #require(statistics.streams.first)
            #expect(stream.stream.layout.format == .yuyv && stream.stream.layout.width == 640)
            #expect(stream.memory.isDMABuf)
            #expect(statistics.sourceName.contains("libcamera"))
            // The very same buffers on both sides.
            let mine = try SharedBuffer.of(process: scene.publisher.pid)
            #expect(mine.count == statistics.slots)
            for watcher in watchers { #expect(try SharedBuffer.of(process: watcher.pid) == mine) }
            for end in try scene.finish(watchers) {
                #expect(try end["frames"].int >= 4)
                #expect(try end["verified"]["checked"].int == end["frames"].int)
                #expect(try end["verified"]["wrong"].int == 0 && end["damaged"].int == 0)
            }

            var options = Subscriber.Options()
            options.directory = ChannelDirectory(path: folder.path)
            let subscriber = try Subscriber(channel: Scene.channel, options: options)
            var exposed: Int64?
            if let frame = try subscriber.nextBlocking(timeout: .seconds(60)) {
                exposed = frame.metadata["SensorTimestamp"]?.integer
            }
            #expect(try #require(exposed, "without SensorTimestamp") > 0)
            subscriber.close()
            try scene.waitUntilAllIsBack()
            try scene.close()
        }

        @Test("another process lists and sets the camera's controls by libcamera's names, and the camera has them")
        func controls() throws {
            let folder = try ChannelFolder()
            let usb = try Self.plugIn(folder)
            defer { usb.unplug() }
            let scene = try Scene(Self.size, folder: folder)
            let listed = try frameshare("control", Scene.channel, "--json", in: folder)
            #expect(listed.code == 0, "\(listed.errors)")
            let brightness = try #require(
                try Document(listed.output).elements.first { try $0["name"].text == "Brightness" },
                "\(listed.output)"
            )
            #expect(try brightness["kind"].text == "number")
            let published = try scene.statistics?.published ?? 0

            let outcome = try frameshare("control", Scene.channel, "Brightness=0.5", "Flavour=1", in: folder)
            #expect(outcome.code == 1)
            #expect(outcome.output == "Brightness=0.5\n")
            #expect(outcome.errors.contains("Flavour") && outcome.errors.contains("Brightness"), "\(outcome.errors)")
            // It goes with one of the next requests: then the driver has half of 64.
            try scene.wait("the driver has it") { _ in
                let camera = try Document(frameshare("cameras", usb.path, "--json", in: folder).output)
                let control = try camera.elements[0]["controls"].elements.first { try $0["name"].text == "brightness" }
                return try control?["value"].text == "32"
            }
            try scene.wait("frames go on") { ($0?.published ?? 0) > published + 3 }
            let again = try frameshare("control", Scene.channel, "--json", in: folder)
            let now = try Document(again.output).elements.first { try $0["name"].text == "Brightness" }
            #expect(try now?["value"].text == "0.5")
            let wrong = try frameshare("control", Scene.channel, "Brightness=0.1,0.2", in: folder)
            #expect(wrong.code == 1)
            try scene.close()
        }

        @Test("killing subscribers at any moment costs the camera no frame, and all slots come back")
        func killed() throws {
            let folder = try ChannelFolder()
            let usb = try Self.plugIn(folder)
            defer { usb.unplug() }
            let scene = try Scene(Self.size, folder: folder)
            let survivor = try scene.watch("queue:4")
            try scene.wait(for: [survivor], frames: 2)
            let before = try #require(try scene.statistics)
            for (index, delay) in [0, 30, 400, 90].enumerated() {
                let victim = try scene.watch(Scene.policies[index % 3])
                if delay == 0 { try scene.wait(for: [victim], frames: 1) }
                usleep(useconds_t(delay) * 1000)
                victim.send(SIGKILL)
                #expect(victim.wait().code == -SIGKILL)
            }
            try scene.wait("the killed are gone and frames go on") { now in
                now.map { $0.subscribers.count == 1 && $0.published >= before.published + 10 } ?? false
            }
            let after = try #require(try scene.statistics)
            #expect(after.lostNoFreeSlot == before.lostNoFreeSlot && after.lostBySource == before.lostBySource)
            _ = try scene.finish(survivor)
            try scene.waitUntilAllIsBack()
            try scene.close()
        }

        @Test("libcamera's own buffers are as many as its pipeline makes, and that is told")
        func driversBuffers() throws {
            let folder = try ChannelFolder()
            let usb = try Self.plugIn(folder)
            defer { usb.unplug() }
            let run = try CommandRun(
                [
                    "publish", "--source", "libcamera", "--size", "650x480", "--slots", "12", "--frames", "3",
                    "--checksum",
                ],
                in: folder
            ).wait()
            #expect(run.code == 0, "\(run.errors)")
            #expect(run.output.contains("main: slots 12 became 4"))
            #expect(run.output.contains("main: size 650x480 became 640x480"))
        }

        @Test("another mode under load is another generation: readers go on, and each frame has its own size")
        func modes() throws {
            let folder = try ChannelFolder()
            let usb = try Self.plugIn(folder)
            defer { usb.unplug() }
            var options = LibcameraCapture.Options()
            options.publisher.directory = ChannelDirectory(path: folder.path)
            let refusals = Mutex<[String]>([])
            options.onEvent = { event in
                if case .refused(let error) = event { refusals.withLock { $0.append("\(error)") } }
            }
            let capture = try LibcameraCapture(
                channel: Scene.channel,
                system: LibcameraSystem(),
                configuration: Self.configuration(width: 640, height: 480),
                options: options
            )
            let stop = try StopSignal()
            let outcome = Mutex<LibcameraCaptureError?>(nil)
            let thread = OwnThread {
                do throws(LibcameraCaptureError) {
                    try capture.run(until: stop)
                } catch { outcome.withLock { $0 = error } }
            }
            let watchers = try ["latest", "queue:4"].map {
                try CommandRun(["watch", Scene.channel, "--policy", $0, "--json"], in: folder)
            }
            try Guest.wait("both read") { capture.publisher.statistics.subscribers.count { $0.delivered > 0 } == 2 }
            func frames(_ count: UInt64) throws {
                let target = capture.publisher.statistics.published + count
                try Guest.wait("\(count) more frames") { capture.publisher.statistics.published >= target }
            }
            try frames(4)
            for size in [(320, 240), (640, 480)] {
                let generation = capture.publisher.generation
                capture.reconfigure(Self.configuration(width: size.0, height: size.1))
                try Guest.wait("the next generation") { capture.publisher.generation == generation + 1 }
                #expect(capture.publisher.streams.first?.layout.width == size.0)
                try frames(4)
            }
            // What it can't do is told, and it goes on as before.
            capture.reconfigure(LibcameraConfiguration(streams: [.init("main", .video), .init("main", .video)]))
            try Guest.wait("the refusal") { refusals.withLock { !$0.isEmpty } }
            try frames(2)
            for watcher in watchers {
                watcher.send(SIGTERM)
                let end = watcher.wait()
                #expect(end.code == 0, "\(end.errors)")
                #expect(try Document.lines(end.output).last?["damaged"].int == 0)
            }
            stop.stop()
            thread.join()
            #expect(outcome.withLock { $0 } == nil)
        }

        private static func configuration(width: Int, height: Int) -> LibcameraConfiguration {
            var configuration = LibcameraConfiguration(
                streams: [.init("main", .video, width: width, height: height)],
                slots: 8
            )
            configuration.memory = .imported(.dmaHeap("system"))
            return configuration
        }

        @Test("a camera in use, one that is not there, and controls that it has not are clear errors")
        func errors() throws {
            let folder = try ChannelFolder()
            func refusal(_ more: String...) throws -> String {
                let outcome = try CommandRun(["publish", "--channel", "x", "--source"] + more, in: folder).wait()
                #expect(outcome.code == 1)
                return outcome.errors
            }
            #expect(try refusal("libcamera").contains("finds no camera"))
            let usb = try Self.plugIn(folder)
            defer { usb.unplug() }
            #expect(try refusal("libcamera:nowhere").contains("has no camera 'nowhere'"))
            #expect(try refusal("libcamera", "--control", "Nonsense=1").contains("has no control 'Nonsense'; it has"))
            #expect(try refusal("libcamera", "--control", "Brightness=much").contains("can't be much"))
            let scene = try Scene(Self.size, folder: folder)
            #expect(try refusal("libcamera").contains("is in use by another program"))
            let cameras = try CommandRun(["cameras"], in: folder).wait()
            #expect(cameras.code == 0 && cameras.output.contains("libcamera:"), "\(cameras.output)\(cameras.errors)")
            try scene.close()
        }

        @Test("an unplugged camera ends its publisher, never a reader; plugged in again, both go on by themselves")
        func unplugged() throws {
            let folder = try ChannelFolder()
            var usb = try Self.plugIn(folder)
            let scene = try Scene(Self.size + ["--restart"], folder: folder)
            let watcher = try scene.watch("latest", "--reconnect")
            try scene.wait(for: [watcher], frames: 2)
            let first = try #require(try scene.statistics).publisherPID
            usb.unplug()
            // Without a udevd nobody tells libcamera, which then aborts its process; its readers are told by the kernel.
            try Guest.wait("the publisher is gone") { try scene.statistics == nil }
            usb = try Self.plugIn(folder)
            defer { usb.unplug() }
            try Guest.wait("another publisher has the camera") {
                try scene.statistics.map { $0.publisherPID != first && $0.published > 0 } ?? false
            }
            try scene.wait(for: [watcher], frames: 2)
            _ = try scene.finish(watcher)
            try scene.close()
        }
    }
}

/// A thread of a test's own.
private final class OwnThread: Sendable {
    private let done = Mutex(false)
    init(_ body: @escaping @Sendable () -> Void) {
        Thread.detachNewThread { [self] in
            body()
            done.withLock { $0 = true }
        }
    }
    func join() { while !done.withLock({ $0 }) { usleep(1000) } }
}
