import CommandTesting
import Foundation
import Testing

@Suite("The service", .timeLimit(.minutes(10)))
struct ServiceTests {
    static let unit = "lib/systemd/system/frameshare@.service"
    static let socket = "lib/systemd/system/frameshare@.socket"
    static let hasSystemd = CommandRun.installed("systemd-analyze") != nil
    static let whyNot: Comment = "systemd-analyze is not installed (Debian package systemd)"

    @Test("make install puts each file where its reader looks for it, and make uninstall takes all of them away")
    func installed() throws {
        let installation = try Installation()
        #expect(
            installation.files == [
                "bin/frameshare", "bin/frameshare-bench", "share/man/man1/frameshare.1",
                "share/bash-completion/completions/frameshare", "share/zsh/site-functions/_frameshare",
                "share/fish/vendor_completions.d/frameshare.fish",
                Self.unit, Self.socket, "lib/sysusers.d/frameshare.conf", "share/doc/frameshare/channel.conf",
                "share/frameshare/seccomp-publisher.json", "share/frameshare/seccomp-subscriber.json",
            ]
        )
        for name in installation.files {
            #expect(try !Data(contentsOf: installation.prefix.appendingPathComponent(name)).isEmpty, "\(name)")
        }
        try installation.make("uninstall")
        #expect(installation.files.isEmpty)
    }

    @Test("systemd finds nothing wrong with the units", .enabled(if: hasSystemd, whyNot))
    func verified() throws {
        let installation = try Installation()
        let outcome = try installation.run(
            "systemd-analyze",
            "verify",
            "--man=no",
            installation.path(Self.unit),
            installation.path(Self.socket)
        )
        #expect(outcome.code == 0)
        #expect(outcome.errors == "" && outcome.output == "")
    }

    @Test("systemd rates the service's exposure below 1 of 10", .enabled(if: hasSystemd, whyNot))
    func exposure() throws {
        let installation = try Installation()
        let outcome = try installation.run(
            "systemd-analyze",
            "security",
            "--offline=true",
            "--no-pager",
            installation.path(Self.unit)
        )
        let line = try #require(outcome.output.split(separator: "\n").last { $0.contains("Overall exposure level") })
        let score = try #require(line.split(separator: " ").compactMap { Double($0) }.last, "\(line)")
        print("systemd-analyze security: \(score)")
        #expect(score < 1, "\(outcome.output)")
    }

    @Test("the service may make the system calls of the publisher's container profile, and no others")
    func sameSystemCalls() throws {
        let installation = try Installation()
        let line = try #require(
            try installation.text(Self.unit).split(separator: "\n").first {
                $0.hasPrefix("SystemCallFilter=")
            }
        )
        let ofUnit = Set(line.dropFirst("SystemCallFilter=".count).split(separator: " ").map(String.init))
        let profile = try Document(try installation.text("share/frameshare/seccomp-publisher.json"))
        let ofProfile = try profile["syscalls"].elements.flatMap { try $0["names"].elements.map { try $0.text } }
        #expect(ofUnit == Set(ofProfile))
        #expect(ofUnit.count > 50)
    }

    @Test("the service's user can be made, and is in group video", .enabled(if: hasSystemd, whyNot))
    func user() throws {
        let installation = try Installation()
        let root = installation.folder.scratchFile()
        try FileManager.default.createDirectory(
            at: root.appendingPathComponent("etc"),
            withIntermediateDirectories: true
        )
        try "video:x:44:\n".write(to: root.appendingPathComponent("etc/group"), atomically: true, encoding: .utf8)
        let made = try installation.run(
            "systemd-sysusers",
            "--root=\(root.path)",
            installation.path("lib/sysusers.d/frameshare.conf")
        )
        #expect(made.code == 0, "\(made.errors)")
        let groups = try String(contentsOf: root.appendingPathComponent("etc/group"), encoding: .utf8)
        #expect(groups.contains("video:x:44:frameshare\n"))
        #expect(groups.contains("\nframeshare:"))
        let users = try String(contentsOf: root.appendingPathComponent("etc/passwd"), encoding: .utf8)
        #expect(users.contains("frameshare:") && users.contains("/nologin"))
    }

    @Test("the options that the example configuration gives are ones that the command takes")
    func exampleConfiguration() throws {
        let installation = try Installation()
        let examples = try installation.text("share/doc/frameshare/channel.conf").split(separator: "\n").compactMap {
            $0.hasPrefix("OPTIONS=") ? $0.dropFirst(8) : $0.hasPrefix("#OPTIONS=") ? $0.dropFirst(9) : nil
        }
        #expect(examples.count == 5)
        let service = try #require(
            try installation.text(Self.unit).split(separator: "\n").first {
                $0.hasPrefix("ExecStart=")
            }
        )
        for example in examples {
            let words = service.split(separator: " ").dropFirst().flatMap { word -> [String] in
                switch word {
                case "$OPTIONS": example.split(separator: " ").map(String.init)
                case "%i": ["camera0"]
                default: [String(word)]
                }
            }
            // Users and cameras of the examples are not here: another code than that of wrong usage.
            let known = words.map { ["alice", "bob"].contains($0) ? "0" : $0 == "/dev/video0" ? "/dev/no-camera" : $0 }
            let bounded = known.filter { $0 != "--wait-for-camera" } + ["--frames", "2"]
            let outcome = try CommandRun(bounded, in: installation.folder).wait()
            #expect(outcome.code == (example.contains("pattern") ? 0 : 1), "\(bounded): \(outcome.errors)")
        }
    }
}
