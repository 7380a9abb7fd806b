#if FFmpeg
import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("What commands write", .timeLimit(.minutes(10)))
struct OutputTests {
    private func shell(_ script: String, in folder: ChannelFolder) throws -> CommandRun.Outcome {
        let bash = try #require(CommandRun.installed("bash"))
        return try CommandRun(["-c", "f=\(CommandRun.executable.path); " + script], of: bash, in: folder).wait()
    }

    @Test("standard output that can't be written is an error with every command")
    func fullOutput() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x48", "--rate", "60")
        let out = folder.scratchFile().path
        let commands = [
            "list", "list --json", "top cam --once --json", "watch cam --frames 5 --json", "cat cam --frames 2",
            "cat cam --frames 2 --format raw", "snapshot cam -o \(out).png --json", "snapshot cam -o \(out)-2.png",
            "record cam -o \(out).mkv --frames 5 --json", "record cam -o \(out).avi --frames 5",
            "encode cam --frames 5 --json", "relay cam --seconds 200ms --json",
            "stream cam \(out).ts --format mpegts --frames 5 --json", "publish --frames 3 --channel c2 --json",
            "cameras --json", "--help", "--version",
        ]
        let script = commands.map { "$f \($0) > /dev/full 2> \(out).err; echo \"$? $(head -c 300 \(out).err)\"" }
        let run = try shell(script.joined(separator: "\n"), in: folder)
        let lines = run.output.split(separator: "\n")
        #expect(lines.count == commands.count)
        for (command, line) in zip(commands, lines) {
            #expect(line.hasPrefix("1 "), "\(command): \(line)")
            #expect(line.contains("No space left on device"), "\(command): \(line)")
        }
        // What was recorded is whole all the same.
        #expect(try VideoProbe(out + ".mkv", in: folder).pictures == 5)
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test(
        "a disk that is full from the start is an error with every format, which does not say that something can be played"
    )
    func fullDisk() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "640x480", "--rate", "60")
        let place = folder.scratchFile().path
        let files = ["x.mkv", "x.mp4", "x.avi", "x.nut", "x.ts"]
        let script = """
            set -e; mkdir \(place); mount -t tmpfs -o size=8k tmpfs \(place); head -c 8192 /dev/zero > \(place)/rest; set +e
            for file in \(files.joined(separator: " ")); do
                \(CommandRun.executable.path) record cam -o \(place)/$file --frames 30 > \(place).out 2>&1
                echo "$? $(grep -v '^/' \(place).out | tail -1)"
            done
            \(CommandRun.executable.path) snapshot cam -o \(place)/x.png > \(place).out 2>&1
            echo "$? $(tail -1 \(place).out)"
            ls -A \(place)
            """
        let run = try folder.mounting(script)
        let lines = run.output.split(separator: "\n").map(String.init)
        try #require(lines.count >= files.count + 1, "\(run.output) \(run.errors)")
        for (file, line) in zip(files, lines) {
            #expect(line.hasPrefix("1 "), "\(file): \(line)")
            #expect(line.contains("disk is full; nothing that can be played"), "\(file): \(line)")
        }
        #expect(lines[files.count].hasPrefix("1 "), "\(lines[files.count])")
        #expect(Array(lines.dropFirst(files.count + 1)) == ["rest"], "nothing is left of what has no room")
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("nothing beside the output is overwritten: side-cars, segments, numbered files, temporary files")
    func overwriting() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x48", "--rate", "60")
        let home = folder.scratchFile().path
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        func precious(_ name: String) throws {
            try Data("precious".utf8).write(to: URL(fileURLWithPath: home + "/" + name))
        }
        func isPrecious(_ name: String) -> Bool {
            (try? String(contentsOfFile: home + "/" + name, encoding: .utf8)) == "precious"
        }
        let names = [
            "side.mkv.jsonl", "x.m3u8", "y0.ts", "s-001.mkv", "z.ts", "target", "still.png", "page.html", "still.jpg",
        ]
        for name in names { try precious(name) }
        func run(_ arguments: String...) throws -> (code: Int32, text: String) {
            let run = try CommandRun(arguments, in: folder).wait()
            return (run.code, run.errors)
        }
        var outcome = try run("record", "cam", "-o", home + "/side.mkv", "--sidecar", "--frames", "3")
        #expect(outcome.code == 1)
        #expect(outcome.text.contains("side.mkv.jsonl is there already"), "\(outcome.text)")
        for (file, address) in [("x.m3u8", "x.m3u8"), ("y0.ts", "y.m3u8"), ("z.ts", "z.ts")] {
            let format = address.hasSuffix(".ts") ? "mpegts" : "hls"
            outcome = try run("stream", "cam", home + "/" + address, "--format", format, "--frames", "3")
            #expect(outcome.code == 1, "\(file)")
            #expect(outcome.text.contains("is there already"), "\(file): \(outcome.text)")
        }
        // Of numbered files the next free one is taken.
        outcome = try run(
            "record",
            "cam",
            "-o",
            home + "/s.mkv",
            "--split-time",
            "50ms",
            "--codec",
            "mjpeg",
            "--frames",
            "12"
        )
        #expect(outcome.code == 0, "\(outcome.text)")
        for name in ["side.mkv.jsonl", "x.m3u8", "y0.ts", "s-001.mkv", "z.ts"] { #expect(isPrecious(name), "\(name)") }
        #expect(FileManager.default.fileExists(atPath: home + "/s-002.mkv"))
        // A link stays a link, and what it names is replaced.
        try FileManager.default.createSymbolicLink(atPath: home + "/link.png", withDestinationPath: "target")
        for place in ["link.png", "still.png", "still.jpg"] {
            outcome = try run("snapshot", "cam", "-o", home + "/" + place)
            #expect(outcome.code == 1)
            #expect(outcome.text.contains("\(place) is there already"), "\(outcome.text)")
        }
        outcome = try run("bench", "--quick", "--html", home + "/page.html")
        #expect(outcome.code == 1 && outcome.text.contains("page.html is there already"), "\(outcome.text)")
        for name in ["target", "still.png", "page.html", "still.jpg"] { #expect(isPrecious(name), "\(name)") }
        #expect(try run("snapshot", "cam", "--overwrite", "-o", home + "/still.png").code == 0)
        #expect(!isPrecious("still.png"))
        #expect(try run("snapshot", "cam", "--overwrite", "-o", home + "/link.png").code == 0)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: home + "/link.png") == "target")
        #expect(!isPrecious("target"))
        outcome = try run("stream", "cam", home + "/z.ts", "--format", "mpegts", "--frames", "3", "--overwrite")
        #expect(outcome.code == 0, "\(outcome.text)")
        #expect(!isPrecious("z.ts"))
        // A pipe that nobody reads is waited for by none.
        #expect(mkfifo(home + "/pipe.mkv", 0o600) == 0 && mkfifo(home + "/pipe.png", 0o600) == 0)
        for arguments in [
            ["record", "cam", "-o", home + "/pipe.mkv", "--frames", "3", "--overwrite"],
            ["stream", "cam", home + "/pipe.mkv", "--format", "matroska", "--frames", "3", "--overwrite"],
            ["snapshot", "cam", "-o", home + "/pipe.png"],
        ] {
            let piped = try CommandRun(arguments, in: folder).wait()
            #expect(piped.code == 1, "\(arguments)")
            #expect(piped.errors.contains(/nobody reads|No such device/), "\(arguments): \(piped.errors)")
        }
        // One that waits for its writer gets all of it.
        let cat = try #require(CommandRun.installed("cat"))
        for _ in 0..<3 {
            let reader = try CommandRun([home + "/pipe.mkv"], of: cat, in: folder)
            var piped: CommandRun.Outcome
            repeat {
                piped = try frameshare(
                    "stream",
                    "cam",
                    home + "/pipe.mkv",
                    "--format",
                    "matroska",
                    "--frames",
                    "3",
                    "--overwrite",
                    in: folder
                )
            } while piped.errors.contains("nobody reads")
            #expect(piped.code == 0, "\(piped.errors)")
            #expect(reader.wait().outputBytes.starts(with: [0x1A, 0x45, 0xDF, 0xA3]))
        }
        // A socket is no pipe.
        let socket = try #require(folder.sockets.first { $0.hasPrefix("cam") })
        let refused = try frameshare(
            "stream",
            "cam",
            "\(folder.path)/\(socket)",
            "--format",
            "mpegts",
            "--frames",
            "3",
            "--overwrite",
            in: folder
        )
        #expect(refused.code == 1 && refused.errors.contains("No such device"), "\(refused.errors)")
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("a file's name that is no UTF-8 is written as it is given")
    func names() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x48", "--rate", "60")
        let home = folder.scratchFile().path
        let script = """
            mkdir \(home); cd \(home)
            $f record cam -o $'a\\xe9.mkv' --sidecar --frames 3 --json || exit 1
            $f record cam -o $'a\\xe9.mkv' --frames 3 && exit 2
            $f snapshot cam -o $'b\\xff\\xfe.png' || exit 3
            $f stream cam $'c\\xe9.ts' --format mpegts --frames 3 || exit 4
            $f record cam -o grün.mkv --frames 3 || exit 5
            LC_ALL=C ls | od -An -c | tr -d ' \\n' > ../names; cat ../names >&2
            """
        let run = try shell(script, in: folder)
        #expect(run.code == 0, "\(run.output) \(run.errors)")
        let names = #"a351.mkv\na351.mkv.jsonl\nb377376.png\nc351.ts\ngr303274n.mkv\n"#
        #expect(run.errors.hasSuffix(names), "\(run.errors)")
        #expect(run.output.contains(#"a\\xE9.mkv"#), "JSON stays UTF-8: \(run.output)")
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("a folder of channels, a restarted publisher's file, a worker's program and its words are no UTF-8 either")
    func namesOfOthers() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x48", "--rate", "60")
        let home = folder.scratchFile().path
        let script = """
            mkdir \(home); cd \(home)
            await() { for i in $(seq 1200); do "$@" > /dev/null 2>&1 && return 0; sleep 0.05; done; echo "$*" >&2; return 1; }
            $f record cam -o $'v\\xe9-pass=1.mkv' --frames 30 --codec mjpeg > /dev/null || exit 1
            export FRAMESHARE_DIR=$PWD/$'d\\xe9' XDG_RUNTIME_DIR=$PWD/$'r\\xe9'
            $f publish --channel film --source $'v\\xe9-pass=1.mkv' --loop --restart --json > published 2>&1 & film=$!
            await $f top film --once || { cat published >&2; exit 2; }
            $f watch film --frames 3 > /dev/null || exit 3
            $f list --json | grep -q film || exit 4
            $f record film -o clip.mkv --codec mjpeg --on-trigger --pre 1s --post 100ms > /dev/null & clip=$!
            await $f trigger film || exit 5
            await test -s clip-000.mkv || exit 6
            kill $clip; wait $clip
            printf '#!/bin/bash\\nprintf %%s "$1" "$FRAMESHARE_CHANNEL" "${FRAMESHARE_DIR##*/}" > got\\n' > $'w\\xe9'
            chmod +x $'w\\xe9'
            $f workers film --json -- ./$'w\\xe9' $'a\\xff=' > /dev/null || exit 7
            PATH=$PWD:$PATH $f workers film -- $'w\\xe9' $'a\\xff=' > /dev/null || exit 8
            $f workers film -- ./$'x\\xe9' 2> missing && exit 9
            grep -q 'xE9' missing || exit 10
            kill $film; wait $film
            unset FRAMESHARE_DIR; mkdir $'r\\xe9'
            $f publish --channel film --size 64x48 --json > published 2>&1 & film=$!
            await $f watch film --frames 1 || exit 11
            LC_ALL=C ls -d */*/film.sock | od -An -c | tr -d ' \\n' >&2; kill $film; wait $film
            od -An -c got | tr -d ' \\n' >&2
            """
        let run = try shell(script, in: folder)
        #expect(run.code == 0, "\(run.output) \(run.errors)")
        #expect(run.errors.hasSuffix(#"r351/frameshare/film.sock\na377=filmd351"#), "\(run.errors)")
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("in a folder that is full, or read-only by now, HLS names the file at once, and no file is begun anew")
    func segments() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "320x240", "--rate", "60")
        let place = folder.scratchFile().path
        let stream = """
            \(CommandRun.executable.path) stream cam \(place)/x.m3u8 --format hls --low-latency --keyframe-interval 10 \
            --option hls_time=0.1 --option hls_list_size=0
            """
        let script = """
            set -e; mkdir \(place); mount -t tmpfs -o size=200k tmpfs \(place); set +e
            run() {
                \(stream) > \(place).out 2>&1 & stream=$!
                for i in $(seq 1200); do test -s \(place)/x1.ts && break; sleep 0.05; done
                eval "$2"
                for i in $(seq 1200); do grep -q "$1" \(place).out && break; sleep 0.05; done
                kill $stream; wait $stream
                grep -m 1 "$1" \(place).out || tail -1 \(place).out
            }
            run "disk is full" :
            mount -t tmpfs -o size=20M tmpfs \(place)
            run "Read-only" "mount -t tmpfs -o ro tmpfs \(place)"
            mount -t tmpfs -o size=200k tmpfs \(place)
            timeout 120 \(CommandRun.executable.path) stream cam \(place)/x.mkv --format matroska > \(place).out 2>&1
            echo "$? $(stat -c %s \(place)/x.mkv) $(grep -c "Trying again" \(place).out)"
            """
        let run = try folder.mounting(script)
        let lines = run.output.split(separator: "\n").map(String.init)
        try #require(lines.count == 3, "\(run.output) \(run.errors)")
        let full = /(x[0-9]+\.ts|x\.m3u8\.tmp): the disk is full; what was written so far can be played/
        #expect(lines[0].contains(full), "\(lines)")
        #expect(lines[1].contains(/x[0-9]+\.ts: Read-only file system/), "\(lines)")
        // What the file holds would be lost.
        #expect(lines[2].wholeMatch(of: /1 [0-9]{6} 0/) != nil, "\(lines)")
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("what lets somebody in does not stand where every user can read it")
    func commandLine() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x48", "--rate", "60")
        let run = try CommandRun(
            [
                "stream", "cam", "rtmp://me:pa@ss@127.0.0.1:1/live/thekey?token=tok", "--wait", "--json", "--option",
                "headers=Referer: https://site/\r\nAuthorization: Bearer b3arer", "--option", "hls_enc_key=ab://hexkey",
            ],
            in: folder
        )
        eventually { !run.isRunning || run.outputSoFar.contains("disconnected") }
        let line = try String(contentsOfFile: "/proc/\(run.pid)/cmdline", encoding: .utf8)
        run.send(SIGTERM)
        let outcome = run.wait()
        #expect(line.contains("127.0.0.1:1/live"))
        for secret in ["pa@ss", "thekey", "tok", "b3arer", "hexkey"] {
            for text in [line.replacingOccurrences(of: "token", with: ""), outcome.output, outcome.errors] {
                #expect(!text.replacingOccurrences(of: "token", with: "").contains(secret), "\(text)")
            }
        }
        #expect(outcome.code == 0, "\(outcome.errors)")
        let misplaced = try frameshare("watch", "cam", "rtsp://me:pa s'3cret@h/x", in: folder)
        #expect(misplaced.code == 64 && !misplaced.errors.contains("3cret"), "\(misplaced.errors)")
        camera.send(SIGTERM)
        _ = camera.wait()
    }
}
#endif
