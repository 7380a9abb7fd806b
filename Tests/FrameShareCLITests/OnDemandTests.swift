import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("Sources on demand", .timeLimit(.minutes(10)))
struct OnDemandTests {
    private func state(_ folder: ChannelFolder) throws -> Int { try folder.top()["source_state"].int }

    @Test("a source on demand sleeps until somebody reads, and again afterwards; 'list' says so")
    func sleeps() throws {
        let folder = try ChannelFolder()
        let run = try folder.publisher("--size", "64x64", "--on-demand", "--linger", "50ms")
        #expect(try state(folder) == 1)
        #expect(try frameshare("list", in: folder).output.contains("on demand: asleep"))
        for _ in 0..<2 {
            let outcome = try frameshare("watch", "cam", "--frames", "3", "--verify", in: folder)
            #expect(outcome.code == 0, "\(outcome.errors)")
            try eventually { try state(folder) == 1 }
        }
        let published = try folder.top()["published"].int
        #expect(published >= 6)
        #expect(try folder.top()["published"].int == published)
        _ = try folder.end(run)
    }

    @Test("a file on demand goes on where it paused, and frames of a warm-up are held back")
    func warmUp() throws {
        let folder = try ChannelFolder()
        let run = try folder.publisher(
            "--size",
            "64x64",
            "--rate",
            "200",
            "--on-demand",
            "--warm-up",
            "20",
            "--linger",
            "1h"
        )
        let outcome = try frameshare("watch", "cam", "--frames", "1", "--json", in: folder)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try folder.top()["published"].int > 20)
        _ = try folder.end(run)
    }

    @Test(
        "an idle publisher on demand makes no system call at all",
        .enabled(if: CommandRun.installed("strace") != nil, "strace is not installed (Scripts/install-packages test)")
    )
    func idle() throws {
        let folder = try ChannelFolder()
        let run = try folder.publisher("--size", "64x64", "--on-demand", "--linger", "0s")
        #expect(try frameshare("watch", "cam", "--frames", "1", in: folder).code == 0)
        try eventually { try state(folder) == 1 }
        let strace = try #require(CommandRun.installed("strace"))
        // The last monitor's hang-up is heard of first; then there are three seconds without a call. One that looks every now
        // and then never has them.
        var lines: [Substring] = ["not traced yet"]
        while !lines.isEmpty {
            let trace = folder.scratchFile()
            let watch = try CommandRun(["-f", "-qq", "-o", trace.path, "-p", "\(run.pid)"], of: strace, in: folder)
            usleep(3_000_000)
            watch.send(SIGINT)
            let outcome = watch.wait()
            if outcome.errors.contains("not permitted") {
                print("strace may trace nothing here: \(outcome.errors)")
                break
            }
            lines = try String(contentsOf: trace, encoding: .utf8).split(separator: "\n").filter {
                // Waits that were under way when the tracer came, and what becomes of them when it goes.
                !$0.contains("<unfinished ...>") && !$0.contains("restart_syscall(") && !$0.contains("<detached ...>")
                    && !$0.contains("= ? ERESTART")
            }
        }
        _ = try folder.end(run)
    }

    @Test(
        "options that belong to it are refused without it",
        arguments: ["--linger 1s", "--warm-up 3", "--exit-when-idle 1s", "--on-demand --warm-up x"]
    )
    func usage(options: String) throws {
        let folder = try ChannelFolder()
        let words = options.split(separator: " ").map(String.init)
        #expect(try CommandRun(["publish", "--channel", "cam"] + words, in: folder).wait().code == 64)
    }

    // MARK: cameras

    @Test(
        "a camera that fails as it starts is tried again, each time anew, and its reader gets frames",
        arguments: ["rate=100", "streamon=1", "streamon=2", "reqbufs=3", "dqbuf-dead=3"]
    )
    func camera(quirk: String) throws {
        let folder = try ChannelFolder()
        let environment = try QuirkyCamera.environment([quirk])
        let run = try CommandRun(
            ["publish", "--channel", "cam", "--source", QuirkyCamera.device, "--on-demand", "--linger", "50ms"],
            in: folder,
            environment: environment
        )
        try eventually { try !run.isRunning || frameshare("top", "cam", "--once", in: folder).code == 0 }
        for start in 1...2 {
            #expect(try state(folder) == 1)
            let outcome = try frameshare("watch", "cam", "--frames", "3", in: folder, environment: environment)
            #expect(outcome.code == 0, "\(outcome.errors)\(run.errorsSoFar)")
            try eventually { try state(folder) == 1 }
            #expect(try folder.top()["generation"].int > start, "each start has new buffers")
        }
        run.send(SIGTERM)
        #expect(run.wait().code == 0)
    }

    @Test(
        "who waits for a camera that can't be started, or is pulled out, hears why, and the channel stays",
        arguments: [("streamon-broken=1", "VIDIOC_STREAMON"), ("unplugged=12", "is gone: unplugged")]
    )
    func brokenCamera(quirk: String, words: String) throws {
        let folder = try ChannelFolder()
        let environment = try QuirkyCamera.environment([quirk])
        let run = try CommandRun(
            ["publish", "--channel", "cam", "--source", QuirkyCamera.device, "--on-demand", "--linger", "0s"],
            in: folder,
            environment: environment
        )
        try eventually { try !run.isRunning || frameshare("top", "cam", "--once", in: folder).code == 0 }
        let reader = try CommandRun(["watch", "cam"], in: folder, environment: environment)
        try eventually { try state(folder) == 5 }
        eventually { reader.errorsSoFar.contains("gives no frames now") }
        #expect(reader.errorsSoFar.contains(words), "\(reader.errorsSoFar)")
        #expect(run.isRunning && reader.isRunning)
        reader.send(SIGTERM)
        _ = reader.wait()
        run.send(SIGTERM)
        #expect(run.wait().code == 0)
    }

    // MARK: socket activation

    /// What systemd does: makes the socket, starts the service when a connection waits, and again when it has ended.
    private static let activator = """
        import os, select, signal, socket, subprocess, sys
        path, program, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.bind(path)
        listening.listen(64)
        def child():
            os.dup2(listening.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="cam")
            os.execv(program, [program] + arguments)
        print("ready", flush=True)
        while True:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            select.select([listening], [], [])
            pid = os.fork()
            if pid == 0: child()
            signal.signal(signal.SIGTERM, lambda *_: (os.kill(pid, signal.SIGTERM), os.waitpid(pid, 0), os._exit(0)))
            print("started", os.waitpid(pid, 0)[1], flush=True)
        """

    @Test("the first connection starts the service, which ends when idle and is started again: nothing is lost")
    func activation() throws {
        let folder = try ChannelFolder()
        let python = try #require(CommandRun.installed("python3"), "Scripts/install-packages test installs it")
        let service = [
            "publish", "--channel", "cam", "--size", "64x64", "--rate", "100", "--on-demand", "--linger", "0s",
            "--exit-when-idle", "20ms",
        ]
        let manager = try CommandRun(
            ["-c", Self.activator, folder.path + "/cam.sock", CommandRun.executable.path] + service,
            of: python,
            in: folder
        )
        eventually { !manager.isRunning || manager.outputSoFar.contains("ready") }
        try #require(manager.isRunning, "\(manager.errorsSoFar)")
        func lives() -> [Substring] {
            manager.outputSoFar.split(separator: "\n").filter { $0.hasPrefix("started") }
        }
        for turn in 1...3 {
            // Several at once, some of which come while the service ends.
            let readers = try (0..<4).map { _ in try CommandRun(["watch", "cam", "--frames", "2"], in: folder) }
            for reader in readers {
                let outcome = reader.wait()
                #expect(outcome.code == 0, "\(outcome.errors)\n\(manager.errorsSoFar)")
            }
            eventually { lives().count >= turn }
        }
        #expect(lives().allSatisfy { $0 == "started 0" }, "\(lives())\n\(manager.errorsSoFar)")
        #expect(folder.sockets.contains("cam.sock"), "the socket is the manager's")
        manager.send(SIGTERM)
        _ = manager.wait()
    }

    @Test(
        "a descriptor that is no channel's socket is refused with the reason",
        arguments: [
            ("stream", "SOCK_SEQPACKET"), ("deaf", "does not listen"), ("elsewhere", "let both be the same"),
            ("none", "not open"), ("file", "no Unix socket"),
        ]
    )
    func badSocket(kind: String, words: String) throws {
        let folder = try ChannelFolder()
        let python = try #require(CommandRun.installed("python3"), "Scripts/install-packages test installs it")
        let program = """
            import os, socket, sys
            kind, path, program = sys.argv[1:4]
            if kind == "file": made = os.open("/dev/null", os.O_RDWR)
            else:
                s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_SEQPACKET)
                s.bind(path + ("/other.sock" if kind == "elsewhere" else "/cam.sock"))
                if kind != "deaf": s.listen(4)
                made = s.detach()
            if kind == "none": os.close(made)
            elif made != 3: os.dup2(made, 3)
            if kind == "none":
                try: os.close(3)
                except OSError: pass
            else: os.set_inheritable(3, True)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="cam")
            os.execv(program, [program, "publish", "--channel", "cam", "--size", "64x64", "--frames", "1"])
            """
        let run = try CommandRun(
            ["-c", program, kind, folder.path, CommandRun.executable.path],
            of: python,
            in: folder
        )
        let outcome = run.wait()
        #expect(outcome.code == 1 && outcome.errors.contains(words), "\(outcome)")
    }

    // MARK: owners

    /// A still picture: a source with a path that every machine has.
    private func picture(in folder: ChannelFolder) throws -> String {
        let run = try folder.publisher("--size", "64x64", as: "maker")
        let file = folder.scratchFile().path + ".png"
        let outcome = try frameshare("snapshot", "maker", "--output", file, in: folder)
        try #require(outcome.code == 0, "\(outcome.errors)")
        _ = try folder.end(run)
        return file
    }

    #if FFmpeg && Snapshot
    @Test("programs that open a source all at once get one owner, which 'list' shows and which ends after them")
    func oneOwner() throws {
        let folder = try ChannelFolder()
        let file = try picture(in: folder)
        let readers = try (0..<12).map { _ in
            try CommandRun(["watch", file, "--frames", "2", "--json"], in: folder)
        }
        var publishers: Set<Int> = []
        for reader in readers {
            let outcome = reader.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let first = try #require(try Document.lines(outcome.output).first)
            publishers.insert(try first["publisher_pid"].int)
        }
        #expect(publishers.count == 1)
        #expect(try frameshare("list", in: folder).output.contains("ends when nobody is left"))
        // It ends by itself, and takes all its files along.
        eventually { folder.sockets.isEmpty }
    }

    @Test("'stop' ends an owner, and no publisher that was started by hand")
    func stop() throws {
        let folder = try ChannelFolder()
        let file = try picture(in: folder)
        let reader = try CommandRun(["watch", file], in: folder)
        try eventually { try frameshare("list", in: folder).output.contains("ends when nobody is left") }
        let outcome = try frameshare("stop", file, in: folder)
        #expect(outcome.code == 0, "\(outcome.errors)")
        _ = reader.wait()
        eventually { folder.sockets.allSatisfy { !$0.hasSuffix(".sock") } }
        #expect(try frameshare("stop", file, in: folder).code == 3)
        let run = try folder.publisher("--size", "64x64")
        let refused = try frameshare("stop", "cam", in: folder)
        #expect(refused.code == 1 && refused.errors.contains("yourself"), "\(refused)")
        _ = try folder.end(run)
    }

    @Test("an owner that is killed while it starts holds up nobody")
    func killedOwner() throws {
        let folder = try ChannelFolder()
        let file = try picture(in: folder)
        // A command that dies at its first start, as a process that is killed does.
        let mark = folder.scratchFile().path
        let command = folder.scratchFile()
        let script = """
            #!/bin/sh
            if [ ! -e \(mark) ]; then touch \(mark); kill -9 $$; fi
            exec \(CommandRun.executable.path) "$@"
            """
        try script.write(to: command, atomically: true, encoding: .utf8)
        chmod(command.path, 0o755)
        let outcome = try frameshare(
            "watch",
            file,
            "--frames",
            "2",
            in: folder,
            environment: ["FRAMESHARE_COMMAND": command.path]
        )
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(FileManager.default.fileExists(atPath: mark))
        eventually { folder.sockets.allSatisfy { !$0.hasSuffix(".sock") } }
    }

    @Test("a source that is there already is attached to, whoever publishes it")
    func attaches() throws {
        let folder = try ChannelFolder()
        let file = try picture(in: folder)
        let run = try folder.publisher(["--source", file, "--rate", "50"])
        let outcome = try frameshare("watch", file, "--frames", "2", "--json", in: folder)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try Document.lines(outcome.output).first?["channel"].text == "cam")
        #expect(!folder.sockets.contains { $0.hasPrefix("owned-") })
        _ = try folder.end(run)
    }
    #endif

    @Test("a source that can't be had, or no command to own it, is an error that says why")
    func failures() throws {
        let folder = try ChannelFolder()
        let missing = try frameshare("watch", "/dev/no-such-camera", in: folder)
        #expect(missing.code != 0 && missing.errors.contains("No such file"), "\(missing)")
        let useless = try frameshare("watch", "/dev/null", in: folder)
        #expect(useless.code != 0 && useless.errors.contains("can't be shared"), "\(useless)")
        let none = try frameshare("watch", "/dev/null", in: folder, environment: ["FRAMESHARE_COMMAND": "/nowhere"])
        #expect(none.code != 0 && none.errors.contains("FRAMESHARE_COMMAND"), "\(none)")
    }

    @Test("a lock that others have put there is not followed")
    func hostileLock() throws {
        let folder = try ChannelFolder()
        let probe = try frameshare("watch", "/dev/null", in: folder)
        #expect(probe.code != 0)
        let lock = try #require(folder.sockets.first { $0.hasSuffix(".starting") }, "\(folder.sockets)")
        let path = folder.path + "/" + lock
        unlink(path)
        let victim = folder.scratchFile().path
        symlink(victim, path)
        let outcome = try frameshare("watch", "/dev/null", in: folder)
        #expect(outcome.code != 0 && outcome.errors.contains("lock"), "\(outcome)")
        #expect(!FileManager.default.fileExists(atPath: victim))
    }
}
