#if View
import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("A view's server and those who mean it ill", .timeLimit(.minutes(10)))
struct AbuseTests {
    @Test("it answers to its own names only, so that no page of another origin can read along")
    func names() throws {
        let scene = try ViewScene("--host-name", "door.lan")
        for host in ["127.0.0.1:\(scene.port)", "localhost", "LOCALHOST:1", "[::1]:80", "192.168.1.7", "door.lan"] {
            #expect(try scene.get("/healthz", "Host: \(host)").status == 200, "\(host)")
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "1.2.3", ""] {
            #expect(try scene.get("/healthz", "Host: \(host)").status >= 400, "\(host)")
        }
    }

    @Test("what changes something has to come from its own page, or from no page")
    func origins() throws {
        let scene = try ViewScene()
        try scene.publish()
        let json = "Content-Type: application/json"
        func status(_ headers: String...) throws -> Int {
            try scene.ask("POST", "/api/channels/cam/trigger", [json] + headers, body: "{}").status
        }
        #expect(try status() == 409)
        #expect(try status("Origin: http://127.0.0.1:\(scene.port)") == 409)
        #expect(try status("Origin: http://evil.example") == 403)
        #expect(try status("Origin: null") == 403)
        #expect(try status("Sec-Fetch-Site: cross-site") == 403)
    }

    @Test("without the token nothing is shown, and each way to give it works")
    func token() throws {
        let scene = try ViewScene("--token", "s3cret-enough")
        for path in ["/", "/api/channels", "/metrics", "/channels/cam/main.jpg", "/view.js"] {
            let answer = try scene.get(path)
            #expect(answer.status == 401 && answer.headers["www-authenticate"]?.hasPrefix("Basic ") == true, "\(path)")
        }
        let basic = Data("anyone:s3cret-enough".utf8).base64EncodedString()
        #expect(try scene.get("/healthz", "Authorization: Bearer s3cret-enough").status == 200)
        #expect(try scene.get("/healthz", "Authorization: Basic \(basic)").status == 200)
        #expect(try scene.get("/healthz", "Cookie: a=b; frameshare_token=s3cret-enough").status == 200)
        #expect(try scene.get("/healthz?token=s3cret-enough").status == 200)
        let page = try scene.get("/?token=s3cret-enough")
        #expect(page.status == 303 && page.headers["location"] == "/")
        #expect(page.headers["set-cookie"]?.contains("HttpOnly; SameSite=Strict") == true)
        for wrong in ["s3cret-enoug", "s3cret-enough!", "", "S3CRET-ENOUGH"] {
            #expect(try scene.get("/healthz", "Authorization: Bearer \(wrong)").status == 401, "\(wrong)")
        }
        #expect(try scene.get("/healthz", "Authorization: Basic !!!").status == 401)
        // One that would mean something in a cookie or an address, or is too short, is not taken.
        for bad in ["se;cret-enough", "se&cret-enough", "short"] {
            let run = try frameshare("view", "--listen", "127.0.0.1:0", "--token", bad, in: scene.folder)
            #expect(run.code == 1 && run.errors.contains("the token: at least 8"), "\(run.errors)")
        }
    }

    @Test("to others than this machine it shows nothing without a token, which it makes itself")
    func network() throws {
        let scene = try ViewScene(listen: "0.0.0.0:0")
        let token = try #require(URLComponents(string: scene.address)?.queryItems?.first { $0.name == "token" }?.value)
        #expect(token.utf8.count == 32)
        #expect(try scene.get("/healthz").status == 401)
        #expect(try scene.get("/healthz?token=\(token)").status == 200)
    }

    @Test("a request that comes byte by byte does not keep its place, and others are served meanwhile")
    func slowRequests() throws {
        let scene = try ViewScene()
        let silent = try (0..<100).map { _ in try HTTPConnection(port: scene.port) }
        for connection in silent { try connection.send("GET / HT") }
        #expect(try scene.get("/healthz").status == 200)
        for connection in silent { #expect(connection.isClosed(within: 60)) }
    }

    @Test("more connections than there is room for wait, and nobody is hurt by it")
    func manyConnections() throws {
        let scene = try ViewScene()
        var crowd = try (0..<300).map { _ in try HTTPConnection(port: scene.port) }
        for connection in crowd { try connection.send("GET /healthz HTTP/1.1\r\n") }
        crowd.removeAll()
        #expect(try scene.get("/healthz").status == 200)
    }

    @Test("viewers that are gone before their answer leave their places to others")
    func goneViewers() throws {
        let scene = try ViewScene()
        try scene.publish()
        for _ in 0..<300 {
            let viewer = try HTTPConnection(port: scene.port)
            try viewer.send("GET /channels/cam/main.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            viewer.reset()
        }
        try eventually {
            let viewer = try HTTPConnection(port: scene.port)
            try viewer.send("GET /channels/cam/main.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return viewer.read().starts(with: Data("HTTP/1.1 200".utf8))
        }
        let labels = #"{channel="cam",stream="main"}"#
        try eventually { try scene.metric("frameshare_view_viewers\(labels)") == 0 }
    }

    @Test("more viewers than there may be are told so")
    func manyViewers() throws {
        let scene = try ViewScene()
        try scene.publish()
        let viewers = try (0..<64).map { _ in
            let viewer = try HTTPConnection(port: scene.port)
            try viewer.send("GET /channels/cam/main.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return viewer
        }
        for viewer in viewers { #expect(viewer.read("--frameshare", times: 1) >= 1) }
        #expect(try scene.get("/channels/cam/main.mjpg").status == 429)
        viewers[0].shutDown()
        try eventually {
            let viewer = try HTTPConnection(port: scene.port)
            try viewer.send("GET /channels/cam/main.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return viewer.read().starts(with: Data("HTTP/1.1 200".utf8))
        }
    }

    @Test(
        "what is no request is refused, and the server stays",
        arguments: [
            "\r\n\r\n\r\n", "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: evil\r\nHost: localhost\r\n\r\n",
            "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /channels/..%2f..%2fetc/passwd.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            "POST /api/channels/cam/trigger HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        ]
    )
    func noRequest(_ text: String) throws {
        let scene = try ViewScene()
        let connection = try HTTPConnection(port: scene.port)
        try connection.send(text)
        connection.shutDownWriting()
        let answer = String(decoding: connection.readToEnd().prefix(12), as: UTF8.self)
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4") || answer.hasPrefix("HTTP/1.0 4"), "\(answer)")
        #expect(try scene.get("/healthz").status == 200)
    }

    @Test("a header without end is cut off", arguments: [1, 2000])
    func longHeader(lines: Int) throws {
        let scene = try ViewScene()
        let connection = try HTTPConnection(port: scene.port)
        let value = String(repeating: "x", count: lines == 1 ? 1_000_000 : 1000)
        try connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n")
        for number in 0..<lines { try connection.send("A\(number): \(value)\r\n") }
        #expect(connection.isClosed(within: 30))
        #expect(try scene.get("/healthz").status == 200)
    }
}
#endif
