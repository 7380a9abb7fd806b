#if View
import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("A view behind a proxy", .timeLimit(.minutes(10)))
struct ProxyTests {
    @Test("below any path all is found, with the proxy's HTTP/1.0 and a token")
    func subPath() throws {
        let scene = try ViewScene("--token", "a-token-here")
        let camera = try CommandRun(["publish", "--channel", "cam", "--size", "160x120"], in: scene.folder)
        // The first takes the path off, as most do; the second passes it on, which the server is told.
        let whole = try ViewScene("--base-path", "/whole/", "--token", "a-token-here")
        let proxy = try Proxy(
            """
            location /cams/ { proxy_pass http://127.0.0.1:\(scene.port)/; }
            location /whole { proxy_pass http://127.0.0.1:\(whole.port); }
            """,
            in: scene.folder
        )
        let host = "Host: 127.0.0.1:\(proxy.port)"
        let bearer = "Authorization: Bearer a-token-here"
        for base in ["/cams/", "/whole/"] {
            #expect(try proxy.get(base, host).status == 401)
            // A browser goes on to the location, relative to where it is, with the cookie.
            let opened = try proxy.get(base + "?token=a-token-here", host)
            #expect(opened.status == 303 && opened.headers["location"] == "./", "\(opened.headers)")
            let cookie = try #require(opened.headers["set-cookie"]?.prefix { $0 != ";" })
            let page = try proxy.get(base, host, "Cookie: \(cookie)")
            #expect(page.status == 200)
            for match in page.text.matches(of: #/(?:href|src)="([^#"]+)"/#) {
                #expect(!match.1.hasPrefix("/"), "an address that leaves the path: \(match.1)")
                #expect(try proxy.get(base + match.1, host, bearer).status == 200, "\(match.1)")
            }
            #expect(try Document(proxy.get(base + "openapi.json", host, bearer).text)["servers"][0]["url"].text == ".")
            #expect(try proxy.get(base + "api/channels", host, bearer).status == 200)
            let events = try HTTPConnection(port: proxy.port)
            try events.send("GET \(base)api/events HTTP/1.1\r\n\(host)\r\n\(bearer)\r\n\r\n")
            #expect(events.read("event: statistics", times: 2) == 2)
        }
        try eventually { try proxy.get("/cams/channels/cam/main.jpg", host, bearer).status == 200 }
        #expect(try proxy.get("/cams/channels/cam/main.jpg", host, bearer).headers["content-type"] == "image/jpeg")
        camera.send(SIGTERM)
        #expect(camera.wait().code == 0)
        // Beside the folder: to it.
        let beside = try whole.get("/whole?x=1", bearer)
        #expect(beside.status == 301 && beside.headers["location"] == "whole/?x=1", "\(beside.headers)")
        for path in ["/", "/view.js", "/wholesome", "/whole/../view.js"] {
            #expect(try whole.get(path, bearer).status == 404, "\(path)")
        }
    }

    @Test("the page's modules know no absolute address, and show text from outside as text")
    func modules() throws {
        for file in try FileManager.default.contentsOfDirectory(atPath: Self.page.path) where !file.hasSuffix(".json") {
            let text = try String(contentsOf: Self.page.appendingPathComponent(file), encoding: .utf8)
            #expect(text.firstMatch(of: #/["'`(]\/(api|channels|[a-z]+\.(js|css|svg|json))/#) == nil, "\(file)")
            for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "setHTML", "srcdoc", "eval("]
            {
                #expect(!text.contains(way), "\(file) has \(way)")
            }
        }
    }

    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Sources/FrameView/Page")
}

/// Debian's nginx as a proxy, on a port of this machine.
private final class Proxy {
    let port: UInt16
    private let run: CommandRun

    init(_ locations: String, in folder: ChannelFolder) throws {
        let home = folder.scratchFile()
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        port = try freePort()
        // As root it would change to another user, who may not write here.
        let user = geteuid() == 0 ? "user root;" : ""
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(home.path)/\($0);" }
        let configuration = """
            \(user) daemon off; worker_processes 1; pid \(home.path)/pid; error_log \(home.path)/error.log;
            events { worker_connections 64; }
            http { access_log off; \(folders.joined(separator: " "))
                server { listen 127.0.0.1:\(port);
            \(locations)
                } }
            """
        let conf = home.appendingPathComponent("conf")
        try configuration.write(to: conf, atomically: true, encoding: .utf8)
        // It lies where only root's PATH leads.
        let nginx = URL(fileURLWithPath: "/usr/sbin/nginx")
        try #require(access(nginx.path, X_OK) == 0, "Scripts/install-packages test installs it")
        let arguments = ["-p", home.path, "-e", "\(home.path)/error.log", "-c", conf.path]
        let run = try CommandRun(arguments, of: nginx, in: folder)
        self.run = run
        eventually { !run.isRunning || access("\(home.path)/pid", F_OK) == 0 }
        try #require(run.isRunning, "\(run.errorsSoFar)")
    }

    deinit {
        run.send(SIGTERM)
        _ = run.wait()
    }

    func get(_ path: String, _ headers: String...) throws -> HTTPAnswer {
        let connection = try HTTPConnection(port: port)
        try connection.send("GET \(path) HTTP/1.1\r\nConnection: close\r\n\(headers.joined(separator: "\r\n"))\r\n\r\n")
        return try #require(HTTPAnswer(connection.readToEnd()), "no answer to \(path)")
    }
}
#endif
