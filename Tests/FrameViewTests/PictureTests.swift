#if View
import CommandTesting
import Foundation
import FrameShare
import Glibc
import Synchronization
import Testing

/// Publishes frames of wide pixels until it is told to stop.
private final class SteadyCamera: Sendable {
    private let isDone = Atomic(false)
    private let finished = DispatchSemaphore(value: 0)

    init(_ publisher: Publisher) {
        Thread.detachNewThread { [self] in
            while !isDone.load(ordering: .relaxed) {
                if let slot = try? publisher.tryNextSlot() {
                    _ = try? publisher.publish(slot, metadata: ["SampleAspectRatio": .int32s([4, 3])])
                }
                usleep(20_000)
            }
            finished.signal()
        }
    }

    func stop() {
        isDone.store(true, ordering: .relaxed)
        finished.wait()
    }
}

@Suite("Pictures for viewers", .timeLimit(.minutes(10)))
struct PictureTests {
    private static let jpegStart = Data([0xFF, 0xD8, 0xFF])

    private func watch(_ scene: ViewScene, _ path: String = "/channels/cam/main.mjpg") throws -> HTTPConnection {
        let viewer = try HTTPConnection(port: scene.port)
        try viewer.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return viewer
    }

    @Test("a snapshot is a JPEG of the next frame")
    func snapshot() throws {
        let scene = try ViewScene()
        try scene.publish()
        let picture = try scene.get("/channels/cam/main.jpg?quality=95")
        #expect(picture.status == 200 && picture.headers["content-type"] == "image/jpeg")
        #expect(picture.body.starts(with: Self.jpegStart))
        let later = try scene.get("/channels/cam/main.jpg")
        #expect(later.body.count < picture.body.count)
        let (first, second) = (
            picture.headers["x-sequence"].flatMap { Int($0) }, later.headers["x-sequence"].flatMap { Int($0) }
        )
        #expect(try #require(second) > (try #require(first)))
        #expect(try scene.get("/channels/cam/none.jpg").status == 404)
        #expect(try scene.get("/channels/cam/main.jpg?quality=0").status == 400)
        #expect(try scene.get("/channels/cam/main.mp4").status == 404)
    }

    @Test("twenty viewers cost one encode a picture")
    func manyViewers() throws {
        let scene = try ViewScene()
        try scene.publish()
        let viewers = try (0..<20).map { _ in try watch(scene) }
        for viewer in viewers { #expect(viewer.read("X-Sequence: ", times: 15) >= 15) }
        let labels = #"{channel="cam",stream="main"}"#
        let encoded = try #require(try scene.metric("frameshare_view_pictures_encoded_total\(labels)"))
        let sent = try #require(try scene.metric("frameshare_view_pictures_sent_total\(labels)"))
        let published = try #require(try scene.metric(#"frameshare_frames_published_total{channel="cam"}"#))
        #expect(encoded <= published)
        #expect(sent >= 20 * 14 && sent <= 20 * encoded)
        // One subscriber for all of them, that holds at most the frame that it encodes.
        try eventually { try scene.metric(#"frameshare_subscribers{channel="cam"}"#) == 1 }
    }

    @Test("a viewer may ask for fewer pictures")
    func thinned() throws {
        let scene = try ViewScene()
        try scene.publish()
        let quick = try watch(scene)
        let slow = try watch(scene, "/channels/cam/main.mjpg?fps=2")
        #expect(quick.read("X-Sequence: ", times: 60) == 60)
        // Two seconds have passed.
        slow.shutDown()
        let pictures = slow.readToEnd().split(separator: Data("X-Sequence: ".utf8)).count - 1
        #expect((2...8).contains(pictures), "\(pictures)")
        #expect(try scene.get("/channels/cam/main.mjpg?fps=0").status == 400)
    }

    @Test("a viewer that takes nothing holds no slot, keeps nobody from watching, and is let go")
    func stalledViewer() throws {
        let scene = try ViewScene()
        let publisher = try scene.publish("cam", "--rate", "60")
        let stalled = try HTTPConnection(port: scene.port, receiveBuffer: 4096)
        try stalled.send("GET /channels/cam/main.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let other = try watch(scene)
        #expect(other.read("X-Sequence: ", times: 60) == 60)
        let held = try Document(scene.get("/api/channels/cam").text)["statistics"]["subscribers"].elements
        #expect(try held.allSatisfy { try $0["held"].int <= 1 })
        #expect(try scene.metric(#"frameshare_frames_lost_total{channel="cam",reason="no_free_slot"}"#) == 0)
        let gone = #"frameshare_view_viewers{channel="cam",stream="main"}"#
        // The other one goes on taking meanwhile.
        let reader = Thread { while !other.read().isEmpty {} }
        reader.start()
        try eventually { try scene.metric(gone) == 1 }
        publisher.send(SIGTERM)
    }

    @Test("a viewer who was there before the publisher went gets pictures again when it is back")
    func healing() throws {
        let scene = try ViewScene()
        let first = try scene.publish()
        let viewer = try watch(scene)
        #expect(viewer.read("X-Sequence: ", times: 5) == 5)
        first.send(SIGKILL)
        _ = first.wait()
        try eventually { try scene.state(of: "cam") == "noSignal" }
        // Others find it there, and wait with it.
        let second = try scene.publish()
        #expect(viewer.read("X-Sequence: ", times: 30) == 30)
        second.send(SIGTERM)
    }

    @Test("nothing is encoded while nobody looks")
    func idle() throws {
        let scene = try ViewScene()
        try scene.publish()
        let viewer = try watch(scene)
        #expect(viewer.read("X-Sequence: ", times: 5) == 5)
        try eventually { try scene.metric(#"frameshare_subscribers{channel="cam"}"#) == 1 }
        viewer.shutDown()
        let count = #"frameshare_view_pictures_encoded_total{channel="cam",stream="main"}"#
        try eventually { try scene.metric(#"frameshare_subscribers{channel="cam"}"#) == 0 }
        let encoded = try scene.metric(count)
        usleep(500_000)
        #expect(try scene.metric(count) == encoded)
    }

    @Test("pixels that are not square are told to the page, which draws them so")
    func pixelAspect() throws {
        let scene = try ViewScene()
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: scene.folder.path)
        let layout = try ImageLayout.computed(width: 64, height: 48, format: .r8)
        let publisher = try Publisher(channel: "cam", streams: ["main": layout], slots: 4, options: options)
        let camera = SteadyCamera(publisher)
        defer { camera.stop() }
        try eventually { try scene.state(of: "cam") == "live" }
        let viewer = try watch(scene)
        #expect(viewer.read("X-Sequence: ", times: 3) >= 3)
        let events = try HTTPConnection(port: scene.port)
        try events.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(events.read(#""pixelAspect":[4,3]"#, times: 1) >= 1)
    }

    #if FFmpeg
    @Test("packets that somebody encodes are played as they are, from a keyframe on")
    func packets() throws {
        let scene = try ViewScene()
        try scene.publish()
        let encoder = try CommandRun(["encode", "cam", "--keyframe-interval", "10"], in: scene.folder)
        try eventually { try scene.state(of: "cam-h264") == "live" }
        let stream = try Document(scene.get("/api/channels/cam-h264").text)["streams"].elements[0]
        #expect(try stream["kind"].text == "packets")
        let name = try stream["name"].text
        let viewer = try watch(scene, "/channels/cam-h264/\(name).mp4")
        var bytes = Data()
        while bytes.count < 40_000 {
            let more = viewer.read()
            try #require(!more.isEmpty)
            bytes += more
        }
        let body = try #require(HTTPAnswer(bytes)?.body)
        #expect(body.range(of: Data("ftyp".utf8)) != nil)
        #expect(body.range(of: Data("avcC".utf8)) != nil)
        #expect(body.range(of: Data("moof".utf8)) != nil)
        #expect(try scene.get("/channels/cam-h264/main.jpg").status == 404)
        let viewers = #"frameshare_view_viewers{channel="cam-h264",stream="\#(name)"}"#
        #expect(try scene.metric(viewers) == 1)
        viewer.shutDown()
        try eventually { try scene.metric(viewers) == 0 }
        encoder.send(SIGTERM)
    }
    #endif
}
#endif
