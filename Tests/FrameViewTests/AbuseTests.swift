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
        for host in [
            "127.0.0.1:\(scene.port)", "localhost", "LOCALHOST:1", "[::1]:80", "192.168.1.7", "door.lan",
            "localhost.", "localhost.:\(scene.port)", "door.lan.", Self.hostName, "\(Self.hostName).local:80",
            "\(Self.hostName.uppercased()).",
        ] {
            #expect(try scene.get("/healthz", "Host: \(host)").status == 200, "\(host)")
        }
        for host in [
            "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "1.2.3", "",
            "\(Self.hostName).evil.example", ".", "..", "localhost..",
        ] {
            #expect(try scene.get("/healthz", "Host: \(host)").status >= 400, "\(host)")
        }
    }

    /// This machine's, without a domain.
    private static var hostName: String { String(ProcessInfo.processInfo.hostName.prefix { $0 != "." }).lowercased() }

    @Test(
        "what decides something may come once only",
        arguments: [
            "Host: localhost\r\nHost: localhost", "Host: localhost\r\nHost: evil.example",
            "Host: evil.example\r\nhost: localhost",
            "Host: localhost\r\nAuthorization: Bearer a-token-here\r\nAuthorization: Bearer another",
            "Host: localhost\r\nCookie: a=b\r\nCookie: c=d", "Host: localhost\r\nOrigin: http://a\r\nOrigin: http://b",
            "Host: localhost\r\nContent-Length: 0\r\nContent-Length: 0",
            "Host: localhost\r\nContent-Length: 0\r\nContent-Length: 5",
            "Host: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked",
            "Host: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Host: localhost\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site",
            "Host: localhost\r\nContent-Type: application/json\r\nContent-Type: text/plain",
        ]
    )
    func duplicates(headers: String) throws {
        let scene = try ViewScene("--token", "a-token-here")
        let connection = try HTTPConnection(port: scene.port)
        try connection.send("GET /healthz HTTP/1.1\r\n\(headers)\r\nConnection: close\r\n\r\n")
        connection.shutDownWriting()
        let answer = try #require(HTTPAnswer(connection.readToEnd()))
        #expect(answer.status == 400, "\(answer.status) \(answer.text)")
    }

    @Test("in an absolute address the name there counts")
    func absoluteForm() throws {
        let scene = try ViewScene()
        #expect(try scene.get("http://localhost/healthz", "Host: evil.example").status == 200)
        #expect(try scene.get("http://evil.example/healthz", "Host: localhost").status == 403)
        #expect(try scene.get("http://localhost@evil.example/healthz", "Host: localhost").status == 403)
    }

    @Test("an HTTP/1.0 request is answered in HTTP/1.0: no chunks, and the connection's end is the answer's")
    func oldHTTP() throws {
        let scene = try ViewScene()
        try scene.publish()
        for (path, head) in [
            ("/", ""), ("/healthz", "Connection: keep-alive\r\n"), ("/channels/cam/main.jpg", ""), ("/nothing", ""),
        ] {
            let connection = try HTTPConnection(port: scene.port)
            try connection.send("GET \(path) HTTP/1.0\r\n\(head)\r\n")
            let bytes = connection.readToEnd()
            let answer = try #require(HTTPAnswer(bytes))
            #expect(String(decoding: bytes.prefix(9), as: UTF8.self) == "HTTP/1.0 ", "\(path)")
            #expect(answer.headers["transfer-encoding"] == nil && answer.headers["connection"] == "close", "\(path)")
        }
        for (path, text) in [
            ("/api/events", "event: statistics"), ("/channels/cam/main.mjpg", "--frameshare\r\nContent-Type"),
        ] {
            let stream = try HTTPConnection(port: scene.port)
            try stream.send("GET \(path) HTTP/1.0\r\nHost: localhost\r\n\r\n")
            let first = stream.read()
            #expect(first.starts(with: Data("HTTP/1.0 200".utf8)))
            #expect(!String(decoding: first, as: UTF8.self).lowercased().contains("chunked"))
            #expect(stream.read(text, times: 2) == 2, "\(path)")
        }
        // The next one on another connection is HTTP/1.1 as ever.
        #expect(try scene.get("/healthz").status == 200)
    }

    @Test("the right password opens, whatever stale cookie comes with it; another server's cookie is nothing here")
    func staleCookie() throws {
        let scene = try ViewScene("--token", "s3cret-enough")
        let right = "s3cret-enough"
        let basic = Data("anyone:\(right)".utf8).base64EncodedString()
        let own = "frameshare_token_\(scene.port)"
        for credential in [
            "Authorization: Bearer \(right)", "authorization: bearer \(right)", "Authorization: BASIC \(basic)",
        ] {
            #expect(try scene.get("/healthz", "Cookie: \(own)=of-yesterday", credential).status == 200, "\(credential)")
        }
        #expect(try scene.get("/healthz?token=\(right)", "Cookie: \(own)=of-yesterday").status == 200)
        #expect(try scene.get("/healthz", "Cookie: \(own)=of-yesterday; x=1; \(own)=\(right)").status == 200)
        #expect(try scene.get("/healthz", "Cookie: \(own)=\(right)", "Authorization: Bearer wrong").status == 200)
        #expect(try scene.get("/healthz", "Cookie: \(own)=of-yesterday").status == 401)
        // Cookies know no ports: each server's has its own name, and neither replaces the other's.
        let other = try ViewScene("--token", "an0ther-token")
        let cookies = try [scene, other].map { scene in
            let token = scene === other ? "an0ther-token" : right
            let answer = try scene.get("/?token=\(token)")
            let cookie = try #require(answer.headers["set-cookie"])
            #expect(!cookie.lowercased().contains("path="), "it is for the folder of the page, wherever a proxy has it")
            return String(cookie.prefix { $0 != ";" })
        }
        #expect(cookies[0].prefix { $0 != "=" } != cookies[1].prefix { $0 != "=" })
        for scene in [scene, other] {
            #expect(try scene.get("/healthz", "Cookie: \(cookies.joined(separator: "; "))").status == 200)
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
        #expect(try status("Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:\(scene.port)") == 403)
        // A proxy may have another name than this server; the browser knows which page is its own.
        #expect(try status("Sec-Fetch-Site: same-origin", "Origin: https://cameras.example") == 409)
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
        #expect(try scene.get("/healthz", "Cookie: a=b; frameshare_token_\(scene.port)=s3cret-enough").status == 200)
        #expect(try scene.get("/healthz?token=s3cret-enough").status == 200)
        let page = try scene.get("/?token=s3cret-enough")
        #expect(page.status == 303 && page.headers["location"] == "./")
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
