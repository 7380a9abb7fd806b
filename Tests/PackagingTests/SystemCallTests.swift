import CommandTesting
import Foundation
import Testing

@Suite("The list of system calls", .timeLimit(.minutes(10)))
struct SystemCallTests {
    /// Whether Debian's own Python has the module that the launcher loads filters with.
    static let canConfine: Bool = {
        let python = URL(fileURLWithPath: "/usr/bin/python3")
        guard let folder = try? ChannelFolder() else { return false }
        return (try? CommandRun(["-c", "import seccomp"], of: python, in: folder).wait().code) == 0
    }()
    static let whyNot: Comment = "python3-seccomp is not installed (Debian package python3-seccomp)"

    /// A command line that runs what follows it under the profile of a role.
    private func confined(_ role: String, in installation: Installation, kill: Bool = true) -> [String] {
        let confine = Installation.package.appendingPathComponent("Tests/PackagingTests/confine").path
        return [confine, installation.path("share/frameshare/seccomp-\(role).json")] + (kill ? ["--kill"] : [])
    }

    private func start(_ command: [String], in folder: ChannelFolder) throws -> CommandRun {
        try CommandRun(Array(command.dropFirst()), of: URL(fileURLWithPath: command[0]), in: folder)
    }

    @Test(
        "is enough for a publisher and for each kind of subscriber, while any other call would end them",
        .enabled(if: canConfine, whyNot)
    )
    func sufficient() throws {
        let installation = try Installation()
        let channel = try Channel(
            "camera0",
            "--mode",
            "0660",
            "--group",
            "\(getgid())",
            "--allow-uid",
            "root",
            "--stream",
            "lores=80x60",
            below: confined("publisher", in: installation)
        )
        let picture = channel.folder.scratchFile().path + ".png"
        let subscribers = [
            "watch camera0 --frames 30 --verify --json",
            "watch camera0 --frames 30 --policy queue:4 --slow 20ms --json",
            "watch camera0 --frames 30 --policy every-frame --verify --seconds 60",
            "watch camera0 --seconds 200ms --reconnect --name held --budget 2 --reserve",
            "cat camera0 --frames 3 --stream lores", "snapshot camera0 -o \(picture)",
            "list", "list --json", "top camera0 --once", "top camera0 --once --json",
        ]
        for subscriber in subscribers {
            let command = [CommandRun.executable.path] + subscriber.split(separator: " ").map(String.init)
            let outcome = try start(confined("subscriber", in: installation) + command, in: channel.folder).wait()
            let lacksPictures = outcome.errors.contains("built without")
            #expect(outcome.code == 0 || lacksPictures, "\(subscriber): \(outcome.code) \(outcome.errors)")
            if lacksPictures { print("skipped: snapshot: \(outcome.errors)") }
        }
        // A stopped subscriber goes in order.
        let watch = confined("subscriber", in: installation) + [CommandRun.executable.path, "watch", "camera0"]
        let stopped = try start(watch, in: channel.folder)
        eventually { stopped.outputSoFar.contains("\n") }
        stopped.send(SIGINT)
        #expect(stopped.wait().code == 130)
        let published = channel.end()
        #expect(published.code == 0, "\(published)")
        #expect(channel.folder.sockets.isEmpty)
    }

    @Test(
        "has no call in it that is of use to break out",
        .enabled(if: canConfine, whyNot),
        arguments: ["publisher", "subscriber"]
    )
    func refused(role: String) throws {
        let installation = try Installation()
        let escape = [CommandRun.built("frameshare-hostile-peer").path, "escape"]
        func attempts(_ command: [String]) throws -> [String: String] {
            let outcome = try start(command, in: installation.folder).wait()
            #expect(outcome.code == 0, "\(outcome)")
            let lines = outcome.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            return Dictionary(lines.filter { $0.count == 3 }.map { ($0[1], $0[2]) }) { first, _ in first }
        }
        // Without the filter some of it is allowed, or fails for its own reasons: it is the filter that is tested.
        let free = try attempts(escape)
        for call in ["socket(AF_INET)", "ptrace", "kill", "unshare", "inotify_init", "symlink"] {
            #expect(free[call] == "SUCCEEDED", "\(call)")
        }
        let confined = try attempts(confined(role, in: installation, kill: false) + escape)
        #expect(confined.count == free.count && confined.count > 15)
        for (call, outcome) in confined {
            #expect(outcome == (call == "socket(AF_UNIX)" ? "SUCCEEDED" : "EPERM"), "\(call)")
        }
    }

    @Test("lets a subscriber make no memory, and offer no channel", .enabled(if: canConfine, whyNot))
    func subscriberPublishesNothing() throws {
        let installation = try Installation()
        let command = [CommandRun.executable.path, "publish", "--frames", "1"]
        let outcome = try start(
            confined("subscriber", in: installation, kill: false) + command,
            in: installation.folder
        )
        .wait()
        #expect(outcome.code == 1)
        #expect(installation.folder.sockets.allSatisfy { !$0.hasSuffix(".sock") })
    }
}
