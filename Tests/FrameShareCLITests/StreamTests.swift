#if FFmpeg
import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("Streaming", .timeLimit(.minutes(10)))
struct StreamTests {
    private func publisher(_ folder: ChannelFolder) throws -> CommandRun {
        try folder.publisher("--size", "320x240", "--rate", "30")
    }

    @Test("a media server gets the shared packets, and again after it was away")
    func reconnects() throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder)
        let encode = try CommandRun(
            ["encode", "cam", "--keyframe-interval", "15", "--low-latency", "--json"],
            in: folder
        )
        eventually { !encode.isRunning || encode.outputSoFar.contains("\"start\"") }
        let server = try MediaServer(in: folder)
        let stream = try CommandRun(["stream", "cam-h264", server.address, "--wait", "--json"], in: folder)
        eventually { !stream.isRunning || stream.outputSoFar.contains("\"disconnected\"") }
        try server.start()
        func connections() -> Int { stream.outputSoFar.components(separatedBy: "\"connected\"").count - 1 }
        eventually { !stream.isRunning || connections() == 1 }
        #expect(try server.watch(frames: 20) == "")
        server.stop()
        eventually {
            !stream.isRunning || stream.outputSoFar.components(separatedBy: "\"disconnected\"").count == 3
        }
        try server.start()
        eventually { !stream.isRunning || connections() == 2 }
        #expect(try server.watch(frames: 20) == "")
        stream.send(SIGTERM)
        let outcome = stream.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let end = try #require(try Document.lines(outcome.output).last)
        #expect(try end["connections"].int == 2)
        #expect(try end["sent"].int > 40)
        #expect(try end["lost"]["unconnected"].int > 0)
        for run in [encode, camera] {
            run.send(SIGTERM)
            #expect(run.wait().code == 0)
        }
        let camera0 = try #require(try Document.lines(camera.wait().output).last)
        #expect(try camera0["lost"]["no_free_slot"].int == 0)
    }

    @Test("a wrong address is an error that says what is wrong, and keeps a password to itself")
    func wrongAddress() throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder)
        func refusal(_ arguments: String...) throws -> (code: Int32, text: String) {
            let run = try CommandRun(["stream", "cam"] + arguments, in: folder).wait()
            return (run.code, run.errors)
        }
        var run = try refusal("door")
        #expect(run.code == 64)
        #expect(run.text.contains("rtmp://"))
        run = try refusal("rtmp://me:secret@127.0.0.1:1/live/door")
        #expect(run.code == 1)
        #expect(run.text.contains("rtmp://127.0.0.1:1/live/door: Connection refused"), "\(run.text)")
        #expect(!run.text.contains("secret"))
        run = try refusal("rtmp://127.0.0.1/live/door", "--codec", "hevc")
        #expect(run.code == 64)
        run = try refusal("udp://127.0.0.1:9", "--option", "no_such=1")
        #expect(run.code == 64)
        #expect(run.text.contains("'no_such'"))
        #expect(try frameshare("stream", "nothing", "udp://127.0.0.1:9", in: folder).code == 3)
        camera.send(SIGTERM)
        _ = camera.wait()
    }
}
#endif
