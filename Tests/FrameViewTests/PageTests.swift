#if View
import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("The view's server", .timeLimit(.minutes(10)))
struct PageTests {
    @Test("the page comes with all that it needs, and may load nothing from elsewhere")
    func page() throws {
        let scene = try ViewScene()
        let page = try scene.get("/")
        #expect(page.status == 200)
        #expect(page.headers["content-type"] == "text/html; charset=utf-8")
        #expect(page.headers["content-security-policy"]?.hasPrefix("default-src 'none'; ") == true)
        #expect(page.headers["x-content-type-options"] == "nosniff")
        for file in [
            "view.css", "view.js", "channel.js", "picture.js", "statistics.js", "video.js",
            "controls.js", "connections.js", "icon.svg",
        ] {
            #expect(try scene.get("/\(file)").status == 200, "\(file)")
        }
        #expect(try Document(scene.get("/openapi.json").text)["openapi"].text.hasPrefix("3."))
        #expect(try Document(scene.get("/healthz").text)["status"].text == "ok")
        let head = try scene.ask("HEAD", "/", [])
        #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] == "\(page.body.count)")
    }

    @Test("channels are listed with their streams and figures, and one that went stays, without signal")
    func channels() throws {
        let scene = try ViewScene()
        #expect(try Document(scene.get("/api/channels").text)["channels"].elements.isEmpty)
        let publisher = try scene.publish("cam", "--stream", "lores=80x60")
        let channel = try Document(scene.get("/api/channels/cam").text)
        #expect(try channel["streams"].elements.map { try $0["name"].text } == ["main", "lores"])
        #expect(try channel["streams"].elements[0]["kind"].text == "pictures")
        #expect(try channel["canTrigger"].bool == false)
        #expect(try channel["statistics"]["pool"]["slots"].int > 1)
        #expect(try scene.metric(#"frameshare_up{channel="cam"}"#) == 1)
        publisher.send(SIGKILL)
        try eventually { try scene.state(of: "cam") == "noSignal" }
        #expect(try scene.get("/channels/cam/main.jpg").status == 503)
        #expect(try scene.get("/api/channels/other").status == 404)
    }

    @Test("only the channels that were named are shown")
    func named() throws {
        let scene = try ViewScene("cam")
        let other = try CommandRun(["publish", "--channel", "other", "--size", "64x64"], in: scene.folder)
        try scene.publish("cam")
        #expect(try scene.state(of: "other") == nil)
        #expect(try scene.get("/channels/other/main.jpg").status == 404)
        withExtendedLifetime(other) {}
    }

    @Test("events tell channels at once, and figures each second")
    func events() throws {
        let scene = try ViewScene()
        try scene.publish()
        let connection = try HTTPConnection(port: scene.port)
        try connection.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(connection.read("event: statistics", times: 3) >= 3)
        #expect(connection.read("event: viewers", times: 1) >= 1)
    }

    @Test("a trigger reaches recorders that wait, and without one the answer says what would wait")
    func trigger() throws {
        let scene = try ViewScene()
        try scene.publish()
        let json = ["Content-Type: application/json"]
        let alone = try scene.ask("POST", "/api/channels/cam/trigger", json, body: "{}")
        #expect(alone.status == 409 && alone.text.contains("--on-trigger"))
        #if FFmpeg
        let clip = scene.folder.scratchFile().path + ".mp4"
        let recorder = try CommandRun(["record", "cam", "-o", clip, "--on-trigger", "--post", "1s"], in: scene.folder)
        try eventually { try Document(scene.get("/api/channels/cam").text)["canTrigger"].bool }
        try eventually {
            try scene.ask("POST", "/api/channels/cam/trigger", json, body: #"{"post": 0.5}"#).status == 202
        }
        recorder.send(SIGINT)
        _ = recorder.wait()
        #endif
        for bad in ["", "[]", #"{"post": -1}"#, #"{"post": "x"}"#, #"{"when": 1}"#, "{"] {
            #expect(try scene.ask("POST", "/api/channels/cam/trigger", json, body: bad).status == 400, "\(bad)")
        }
        #expect(
            try scene.ask("POST", "/api/channels/cam/trigger", ["Content-Type: text/plain"], body: "{}").status == 415
        )
        let long = String(repeating: " ", count: 70_000)
        #expect(try scene.ask("POST", "/api/channels/cam/trigger", json, body: long).status == 413)
        let get = try scene.get("/api/channels/cam/trigger")
        #expect(get.status == 405 && get.headers["allow"] == "POST")
    }

    @Test("a source without controls is told as such")
    func controls() throws {
        let scene = try ViewScene()
        try scene.publish()
        let listed = try scene.get("/api/channels/cam/controls")
        #expect(listed.status == 404 && listed.text.contains("no controls"))
        let json = ["Content-Type: application/json"]
        #expect(try scene.ask("PUT", "/api/channels/cam/controls", json, body: #"{"a": 1}"#).status == 409)
        #expect(try scene.ask("PUT", "/api/channels/cam/controls", json, body: #"{"a": []}"#).status == 400)
        #expect(try scene.ask("PUT", "/api/channels/cam/controls", json, body: "{}").status == 400)
    }

    @Test("Ctrl-C ends it at once, with viewers connected", arguments: [SIGINT, SIGTERM])
    func stop(signal: Int32) throws {
        let scene = try ViewScene()
        try scene.publish()
        let viewer = try HTTPConnection(port: scene.port)
        try viewer.send("GET /channels/cam/main.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(viewer.read("--frameshare", times: 3) == 3)
        scene.server.send(signal)
        let outcome = scene.server.wait()
        #expect(outcome.code == (signal == SIGINT ? 130 : 0), "\(outcome.errors)")
        #expect(viewer.isClosed(within: 10))
    }

    @Test("a port that is taken, and a bad address, are told")
    func cannotListen() throws {
        let scene = try ViewScene()
        let second = try frameshare("view", "--listen", "127.0.0.1:\(scene.port)", in: scene.folder)
        #expect(second.code == 1 && second.errors.contains("can't listen on 127.0.0.1, port \(scene.port)"))
        #expect(try frameshare("view", "--listen", "here", in: scene.folder).code == 64)
        #expect(try frameshare("view", "--quality", "0", in: scene.folder).code == 1)
        #expect(try frameshare("view", "../etc", in: scene.folder).code != 0)
    }
}
#endif
