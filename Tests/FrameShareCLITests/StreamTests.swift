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
        // A viewer that is refused tries again, as people do.
        eventually { (try? server.watch(frames: 20)) == "" }
        server.stop()
        eventually {
            !stream.isRunning || stream.outputSoFar.components(separatedBy: "\"disconnected\"").count == 3
        }
        try server.start()
        eventually { !stream.isRunning || connections() == 2 }
        // A viewer that is refused tries again, as people do.
        eventually { (try? server.watch(frames: 20)) == "" }
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

    /// A server of files on a free port, which takes what is put to `/taken` and refuses the rest.
    private func fileServer(
        _ folder: ChannelFolder,
        port: UInt16? = nil
    ) throws -> (run: CommandRun, home: URL, address: String) {
        let home = folder.scratchFile()
        try FileManager.default.createDirectory(
            at: home.appendingPathComponent("taken"),
            withIntermediateDirectories: true
        )
        let port = try port ?? freePort()
        let program = """
            import http.server, os, sys
            class Files(http.server.BaseHTTPRequestHandler):
                def do_PUT(self):
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    taken = self.path.startswith("/taken/")
                    if taken:
                        open("\(home.path)/taken/" + os.path.basename(self.path), "wb").write(body)
                    self.send_response(201 if taken else 403)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                def log_message(self, *words): pass
            server = http.server.HTTPServer(("127.0.0.1", \(port)), Files)
            print("ready", flush=True)
            server.serve_forever()
            """
        return (try folder.server(program), home, "http://127.0.0.1:\(port)")
    }

    @Test("HLS that no server takes is an error, and what one takes is there")
    func hls() throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder)
        let server = try fileServer(folder)
        defer { server.run.send(SIGKILL) }
        func send(_ address: String) throws -> CommandRun.Outcome {
            try frameshare(
                "stream",
                "cam",
                address,
                "--frames",
                "60",
                "--keyframe-interval",
                "10",
                "--low-latency",
                "--option",
                "hls_time=0.2",
                "--option",
                "hls_list_size=0",
                in: folder
            )
        }
        var run = try send("http://me:secret@127.0.0.1:\(try freePort())/x.m3u8")
        #expect(run.code == 1)
        #expect(run.errors.contains("Connection refused"), "\(run.errors)")
        #expect(!run.errors.contains("secret") && !run.output.contains("secret"))
        #expect(!run.output.contains("connected to"), "\(run.output)")
        #expect(run.output.contains("sent 0 frames"), "\(run.output)")
        run = try send(server.address + "/refused/x.m3u8")
        #expect(run.code == 1)
        #expect(run.errors.contains("403"), "\(run.errors)")
        #expect(!run.output.contains("connected to"), "\(run.output)")
        run = try send(server.address + "/taken/x.m3u8")
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.output.contains("connected to"), "\(run.output)")
        let probe = try VideoProbe(server.home.path + "/taken/x.m3u8", in: folder)
        #expect(probe.pictures == 60)
        // Nobody listens: the kernel says so of the second packet.
        run = try frameshare(
            "stream",
            "cam",
            "udp://127.0.0.1:\(try freePort())",
            "--frames",
            "20",
            in: folder
        )
        #expect(run.code == 1, "\(run.output)")
        #expect(run.errors.contains("Connection refused"), "\(run.errors)")
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    /// A server that does what the path says to a request without an end, and counts the requests.
    private func endlessServer(_ folder: ChannelFolder) throws -> (run: CommandRun, address: String) {
        let port = try freePort()
        let program = """
            import socketserver
            counts = {}
            class Endless(socketserver.StreamRequestHandler):
                def handle(self):
                    target = self.rfile.readline().split()[1].decode()
                    path = target.split("?")[0]
                    while self.rfile.readline() not in (b"\\r\\n", b""): pass
                    count = counts[path] = counts.get(path, 0) + 1
                    print(path, count, flush=True)
                    def answer(status): self.wfile.write(f"HTTP/1.1 {status}\\r\\nContent-Length: 0\\r\\n\\r\\n".encode())
                    def take(chunks):
                        while chunks:
                            size = int(self.rfile.readline() or b"0", 16)
                            self.rfile.read(size + 2)
                            if not size: return
                            chunks -= 1
                    if path == "/refused.ts" or path == "/later.ts" and count < 3: answer("403 Go away")
                    elif path == "/echo.ts": answer("403 not for " + target)
                    elif path == "/closed.ts": return
                    elif path == "/busy.ts": take(1); answer("401 Who are you")
                    elif path == "/cut.ts" and count < 2: take(200); return
                    elif path == "/late.ts": take(1 << 40); answer("507 No room"); return
                    else:
                        answer("100 Continue") if path == "/taken.ts" else None
                        take(1 << 40); print(path, "whole", flush=True); answer("201 Thanks"); return
                    self.rfile.read()
            class Server(socketserver.ThreadingTCPServer): daemon_threads = True
            with Server(("127.0.0.1", \(port)), Endless) as server:
                print("ready", flush=True)
                server.serve_forever()
            """
        return (try folder.server(program), "http://127.0.0.1:\(port)")
    }

    @Test("of one request without an end, what a server refuses is an error as soon as it says so, and is tried again")
    func endless() throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder)
        let server = try endlessServer(folder)
        defer { server.run.send(SIGKILL) }
        func arguments(_ path: String, _ more: [String]) -> [String] {
            ["stream", "cam", server.address + path, "--format", "mpegts", "--keyframe-interval", "5", "--low-latency"]
                + more
        }
        for (path, words) in [
            ("/refused.ts", "403 Go away"), ("/closed.ts", "has closed the connection"),
            ("/busy.ts", "401 Who are you"), ("/echo.ts?token=Abc123xyz", "403 not for /echo.ts"),
        ] {
            // It ends by itself: the channel and the server go on.
            let run = try CommandRun(arguments(path, []), in: folder).wait()
            #expect(run.code == 1, "\(path): \(run.output)")
            #expect(run.errors.contains(words), "\(path): \(run.errors)")
            #expect(!(run.errors + run.output).contains("Abc123xyz"), "\(run.errors)")
        }
        for (path, more, count) in [("/later.ts", ["--wait"], 1), ("/cut.ts", [], 2)] {
            let run = try CommandRun(arguments(path, more + ["--json"]), in: folder)
            func connections() -> Int { run.outputSoFar.components(separatedBy: "\"connected\"").count - 1 }
            eventually { !run.isRunning || connections() == count }
            run.send(SIGTERM)
            let outcome = run.wait()
            #expect(outcome.code == 0, "\(path): \(outcome.errors)")
            #expect(outcome.output.contains("\"disconnected\""), "\(path): \(outcome.output)")
            #expect(server.run.outputSoFar.contains("\(path) whole"), "\(path)")
        }
        // The answer is there in the moment of closing, or comes after it.
        for environment in [try PromptServer.environment(), [:]] {
            let late = arguments("/late.ts", ["--frames", "10"])
            let run = try CommandRun(late, in: folder, environment: environment).wait()
            #expect(run.code == 1)
            #expect(run.errors.contains("507 No room"), "\(run.errors)")
        }
        let run = try CommandRun(arguments("/taken.ts", ["--frames", "10"]), in: folder).wait()
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.output.contains("sent 10 frames"), "\(run.output)")
        #expect(server.run.outputSoFar.contains("/taken.ts whole"))
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test(
        "a muxer that sends by a thread of its own, or to several, streams, and hears what a server says",
        arguments: ["fifo", "tee"]
    )
    func beside(muxer: String) throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder)
        let server = try endlessServer(folder)
        defer { server.run.send(SIGKILL) }
        func arguments(_ address: String) -> [String] {
            let how =
                muxer == "fifo"
                ? [address, "--format", "fifo", "--option", "fifo_format=mpegts"]
                : ["[f=mpegts]" + address, "--format", "tee"]
            return ["stream", "cam", "--keyframe-interval", "5", "--low-latency"] + how
        }
        for (path, words) in [("/refused.ts", "403 Go away"), ("/late.ts", "507 No room")] {
            let run = try CommandRun(arguments(server.address + path) + ["--frames", "10"], in: folder).wait()
            #expect(run.code == 1, "\(path): \(run.output)")
            #expect(run.errors.contains(words), "\(path): \(run.errors)")
        }
        var run = try CommandRun(arguments("tcp://127.0.0.1:\(try freePort())") + ["--frames", "10"], in: folder).wait()
        #expect(run.code == 1 && run.errors.contains("Connection refused"), "\(run.errors)")
        #expect(!run.output.contains("connected to"), "\(run.output)")
        run = try CommandRun(arguments(server.address + "/taken.ts") + ["--frames", "10"], in: folder).wait()
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.output.contains("connected to") && run.output.contains("sent 10 frames"), "\(run.output)")
        #expect(server.run.outputSoFar.contains("/taken.ts whole"))
        // What has no end is not kept until then.
        let endless = try CommandRun(arguments(server.address + "/open.ts"), in: folder)
        eventually { !endless.isRunning || server.run.outputSoFar.contains("/open.ts 1") }
        #expect(server.run.outputSoFar.contains("/open.ts 1"), "\(endless.errorsSoFar)")
        endless.send(SIGTERM)
        #expect(endless.wait().code == 0)
        let recovery = (muxer == "tee" ? "fifo_options=" : "") + "attempt_recovery="
        for (value, code, words) in [("1", 64, "connects again by itself"), ("off", 1, "Connection refused")] {
            run = try CommandRun(arguments("tcp://127.0.0.1:1") + ["--option", recovery + value], in: folder).wait()
            #expect(run.code == Int32(code) && run.errors.contains(words), "\(value): \(run.errors)")
        }
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("a stream to standard output has no message in it, and ends when its reader has had enough")
    func standardOutput() throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder)
        for address in ["-", "pipe:1", "/dev/stdout"] {
            let run = try frameshare(
                "stream",
                "cam",
                address,
                "--format",
                "mpegts",
                "--overwrite",
                "--frames",
                "5",
                in: folder
            )
            #expect(run.code == 0 && run.errors.contains("sent 5 frames"), "\(address): \(run.errors)")
            let bytes = [UInt8](run.outputBytes)
            #expect(!bytes.isEmpty && bytes.count % 188 == 0, "\(address)")
            #expect(stride(from: 0, to: bytes.count, by: 188).allSatisfy { bytes[$0] == 0x47 }, "\(address)")
        }
        let bash = try #require(CommandRun.installed("bash"))
        let script =
            "\(CommandRun.executable.path) stream cam - --format mpegts | head -c 2000 > /dev/null; exit ${PIPESTATUS[0]}"
        #expect(try CommandRun(["-c", script], of: bash, in: folder).wait().code == 0)
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("HLS is tried again until a server takes it, and goes on behind its segments at another one")
    func hlsAgain() throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder)
        let port = try freePort()
        let run = try CommandRun(
            [
                "stream", "cam", "http://127.0.0.1:\(port)/taken/x.m3u8", "--wait", "--json", "--keyframe-interval",
                "10",
                // libavformat marks the break only while the list has not moved on.
                "--low-latency", "--option", "hls_time=0.2", "--option", "hls_list_size=0",
            ],
            in: folder
        )
        eventually { !run.isRunning || run.outputSoFar.contains("\"disconnected\"") }
        #expect(!run.outputSoFar.contains("\"connected\""))
        func told(_ event: String) -> Int { run.outputSoFar.components(separatedBy: "\"\(event)\"").count - 1 }
        let first = try fileServer(folder, port: port)
        eventually { !run.isRunning || told("connected") == 1 }
        // What is in one file would take the place of what the server has.
        let single = try CommandRun(
            [
                "stream", "cam", first.address + "/taken/y.m3u8", "--json", "--keyframe-interval", "10",
                "--low-latency", "--option", "hls_time=0.2", "--option", "hls_flags=single_file",
            ],
            in: folder
        )
        eventually { !single.isRunning || single.outputSoFar.contains("\"connected\"") }
        first.run.send(SIGKILL)
        _ = first.run.wait()
        let ended = single.wait()
        #expect(ended.code == 1 && !ended.output.contains("Trying again"), "\(ended.output) \(ended.errors)")
        eventually { !run.isRunning || told("disconnected") == 2 }
        let second = try fileServer(folder, port: port)
        defer { second.run.send(SIGKILL) }
        eventually { !run.isRunning || told("connected") == 2 }
        run.send(SIGTERM)
        let outcome = run.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try #require(try Document.lines(outcome.output).last)["connections"].int == 2)
        let taken = second.home.appendingPathComponent("taken")
        let files = try FileManager.default.contentsOfDirectory(atPath: taken.path)
        #expect(files.contains { $0.hasSuffix(".ts") } && !files.contains("x0.ts"), "\(files)")
        let list = try String(contentsOf: taken.appendingPathComponent("x.m3u8"), encoding: .utf8)
        #expect(list.contains("#EXT-X-DISCONTINUITY"), "\(list)")
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("a server that says nothing is an error that says so")
    func silence() throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isThere = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                var size = size
                return bind(listener, address, size) == 0 && listen(listener, 4) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        try #require(isThere)
        let number = UInt16(bigEndian: address.sin_port)
        let run = try frameshare(
            "stream",
            "cam",
            "rtmp://127.0.0.1:\(number)/live/x",
            "--timeout",
            "500ms",
            "--frames",
            "30",
            in: folder
        )
        #expect(run.code == 1)
        #expect(run.errors.contains("no answer in 500 ms"), "\(run.errors)")
        camera.send(SIGTERM)
        _ = camera.wait()
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
        #expect(run.text.contains("rtmp://***@127.0.0.1:1/live/***: Connection refused"), "\(run.text)")
        #expect(!run.text.contains("secret"))
        run = try refusal("rtmp://127.0.0.1/live/door", "--codec", "mjpeg")
        #expect(run.code == 64)
        #expect(run.text.contains("RTMP can't carry mjpeg"), "\(run.text)")
        #expect(!run.text.contains(".mkv"))
        for address in ["srt://me:secret@h", "http://h/x?token=secret", "secret:secret@h/live"] {
            run = try refusal(address, "--format", "no-such")
            #expect(run.code != 0)
            #expect(!run.text.contains("secret"), "\(run.text)")
        }
        run = try refusal("udp://127.0.0.1:9", "--option", "no_such=1")
        #expect(run.code == 64)
        #expect(run.text.contains("'no_such'"))
        #expect(try frameshare("stream", "nothing", "udp://127.0.0.1:9", in: folder).code == 3)
        camera.send(SIGTERM)
        _ = camera.wait()
    }
}
#endif
