#if View
import CommandTesting
import Foundation
import FrameShare
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

    @Test(
        "HEAD gives the header of GET and not a byte more, wherever it goes, and the connection stays in step",
        arguments: ["1.1", "1.0"]
    )
    func head(version: String) throws {
        let scene = try ViewScene()
        try scene.publish()
        let (fixed, varied, endless) = (
            ["/", "/view.css", "/healthz", "/nothing", "/channels/other/main.jpg", "/api/channels/cam/trigger", "//"],
            ["/metrics", "/api/channels", "/api/channels/cam", "/api/channels/cam/controls", "/channels/cam/main.jpg"],
            ["/api/events", "/channels/cam/main.mjpg", "/channels/cam/main.mjpg?ahead=1"]
        )
        func ask(_ method: String, _ path: String) throws -> (connection: HTTPConnection, text: String) {
            let connection = try HTTPConnection(port: scene.port)
            let next = method == "HEAD" ? "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" : ""
            try connection.send("\(method) \(path) HTTP/\(version)\r\nHost: localhost\r\n\r\n" + next)
            if method == "HEAD" { return (connection, String(decoding: connection.readToEnd(), as: UTF8.self)) }
            var bytes = Data()
            while bytes.range(of: Data("\r\n\r\n".utf8)) == nil {
                let more = connection.read()
                if more.isEmpty { break }
                bytes += more
            }
            return (connection, String(decoding: bytes, as: UTF8.self))
        }
        /// The status and the fields, but for what differs from one answer to the next.
        func fields(_ header: String, varied: Bool) -> Set<String> {
            let moving = ["date", "x-sequence", "x-timestamp"] + (varied ? ["content-length"] : [])
            return Set(
                header.components(separatedBy: "\r\n").map { line in
                    let name = line.prefix { $0 != ":" }.lowercased()
                    return moving.contains(name) ? name : line
                }
            )
        }
        for path in fixed + varied + endless {
            let answers = try ask("HEAD", path).text.components(separatedBy: "\r\n\r\n")
            if version == "1.1" {
                try #require(answers.count == 3, "\(path): \(answers)")
                #expect(answers[1].hasPrefix("HTTP/1.1 200"), "\(path): \(answers[1])")
                #expect(answers[2].contains("ok"), "\(path)")
            } else {
                #expect(answers.count == 2 && answers[1].isEmpty, "\(path): \(answers)")
            }
            let get = try ask("GET", path).text.components(separatedBy: "\r\n\r\n")[0]
            #expect(
                fields(answers[0], varied: varied.contains(path)) == fields(get, varied: varied.contains(path)),
                "\(path)"
            )
            #expect(!answers[0].lowercased().components(separatedBy: "\r\n").contains("content-length: 0"), "\(path)")
        }
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

    @Test("names of peers are whole in JSON, and can't forge a metric or an event, nor order a terminal about")
    func hostileNames() throws {
        let scene = try ViewScene()
        try scene.publish()
        let hostile = "a\"} 9\nframeshare_up{channel=\"x\"} 1\u{1B}[2J\r\n\ndata: x\\\u{202E}\u{9B}</script>"
        var options = Subscriber.Options()
        options.directory = ChannelDirectory(path: scene.folder.path)
        options.name = hostile
        let subscriber = try Subscriber(channel: "cam", policy: .latest, options: options)
        let labels = #"a\"} 9\\nframeshare_up{channel=\"x\"} 1\\u{1b}[2J"#
        try eventually { try scene.get("/metrics").text.contains("subscriber=\"\(labels)") }
        let metrics = try scene.get("/metrics").text
        #expect(metrics.unicodeScalars.allSatisfy { $0 == "\n" || $0.isDisplayable })
        for line in metrics.split(separator: "\n") where !line.hasPrefix("# ") {
            #expect(line.wholeMatch(of: #/[a-z_]+\{([a-z]+="([^"\\]|\\["\\n])*",?)*\} [0-9]+/#) != nil, "\(line)")
        }
        #expect(!metrics.contains("channel=\"x\"} 1\n"))
        let channel = try scene.get("/api/channels/cam").text
        #expect(channel.unicodeScalars.allSatisfy { $0.isDisplayable })
        // Names are cut to what a message holds.
        let names = try Document(channel)["statistics"]["subscribers"].elements.map { try $0["name"].text }
        let isWhole = names.contains { $0.utf8.count > 20 && hostile.utf8.starts(with: $0.utf8) }
        #expect(isWhole, "\(names)")
        subscriber.close()
    }

    @Test("publishers that don't answer delay no look at others, and show as without signal")
    func stoppedPublishers() throws {
        let scene = try ViewScene()
        let stopped = try (0..<12).map {
            try CommandRun(["publish", "--channel", "x\($0)", "--size", "16x16"], in: scene.folder)
        }
        defer { for run in stopped { run.send(SIGKILL) } }
        try scene.publish("cam", "--rate", "20")
        for number in 0..<12 { try eventually { try scene.state(of: "x\(number)") == "live" } }
        for run in stopped { run.stop() }
        for number in 0..<12 { try eventually { try scene.state(of: "x\(number)") == "noSignal" } }
        // One after the other the twelve would take 6 s for each look: 140 frames from one look to the next.
        func published() throws -> Int {
            try Document(scene.get("/api/channels/cam").text)["statistics"]["published"].int
        }
        var (last, steps) = (try published(), [Int]())
        while steps.count < 4 {
            let now = try published()
            if now != last { steps.append(now - last) }
            last = now
            usleep(20_000)
        }
        #expect(try #require(steps.dropFirst().min()) < 80, "\(steps)")
        for run in stopped { run.send(SIGCONT) }
        for number in 0..<12 { try eventually { try scene.state(of: "x\(number)") == "live" } }
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
        #expect(second.errors.contains("taken by frameshare (pid \(scene.server.pid))"), "\(second.errors)")
        #expect(second.errors.contains("--listen") && !second.errors.contains("bind("), "\(second.errors)")
        for (address, words) in [
            ("192.0.2.1:8080", "no such address"), ("no-such-host.invalid:8080", "no address is known"),
        ] {
            let run = try frameshare("view", "--token", "a-token-here", "--listen", address, in: scene.folder)
            #expect(run.code == 1 && run.errors.contains(words) && !run.errors.contains("("), "\(run.errors)")
        }
        #expect(try frameshare("view", "--listen", "here", in: scene.folder).code == 64)
        #expect(try frameshare("view", "--quality", "0", in: scene.folder).code == 1)
        #expect(try frameshare("view", "../etc", in: scene.folder).code != 0)
    }
}
#endif
