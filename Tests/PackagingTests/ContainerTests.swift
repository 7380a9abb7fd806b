import CommandTesting
import Foundation
import Testing

@Suite("Containers", .timeLimit(.minutes(10)))
struct ContainerTests {
    /// Why this kernel makes no containers; nil: it does.
    static let obstacle: String? = {
        guard let bwrap = CommandRun.installed("bwrap") else {
            return "bubblewrap is not installed (Debian package bubblewrap)"
        }
        guard let folder = try? ChannelFolder(),
            let outcome = try? CommandRun(isolation + ["/usr/bin/true"], of: bwrap, in: folder).wait()
        else { return "bwrap can't be started" }
        return outcome.code == 0 ? nil : "no user namespaces here: \(outcome.errors)"
    }()
    static let whyNot: Comment = "\(obstacle ?? "")"

    /// Namespaces of every kind, users 4711 inside, and nothing to write to but an empty /tmp.
    private static let isolation = [
        "--unshare-all", "--die-with-parent", "--new-session", "--uid", "4711", "--gid", "4711",
        "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run",
    ]
    /// Who a container's user is outside of it, where the test may choose.
    private static let outside = 100_000
    private static let isRoot = geteuid() == 0

    /// Runs a program of the build in a container that was given one channel's folder.
    private func inContainer(
        with channel: Channel,
        as user: Int = outside,
        _ program: String,
        _ arguments: String...
    ) throws -> CommandRun.Outcome {
        let installation = try Installation()
        let programs = installation.prefix.appendingPathComponent("bin")
        try FileManager.default.copyItem(
            at: CommandRun.built("frameshare-hostile-peer"),
            to: programs.appendingPathComponent("frameshare-hostile-peer")
        )
        let become =
            Self.isRoot ? ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", "--"] : []
        let command =
            become + ["bwrap"] + Self.isolation + [
                "--ro-bind", programs.path, "/tmp/programs", "--ro-bind", channel.folder.path, "/run/frameshare",
                "--setenv", "FRAMESHARE_DIR", "/run/frameshare", "/tmp/programs/\(program)",
            ] + arguments
        let first = try #require(CommandRun.installed(command[0]), "\(command[0]) is not installed")
        return try CommandRun(Array(command.dropFirst()), of: first, in: installation.folder).wait()
    }

    /// A channel that containers of one user may read, as the documentation says.
    private func channel(_ name: String) throws -> Channel {
        try Self.isRoot
            ? Channel(name, "--mode", "0666", "--allow-uid", "\(Self.outside)") : Channel(name)
    }

    @Test(
        "a container sees the one channel that it was given, and reads its frames",
        .enabled(if: obstacle == nil, whyNot)
    )
    func reads() throws {
        let (given, other) = (try channel("given"), try channel("other"))
        let list = try inContainer(with: given, "frameshare", "list", "--json")
        let channels = try Document(list.output).elements
        #expect(try channels.map { try $0["channel"].text } == ["given"], "\(list)")
        let watch = try inContainer(with: given, "frameshare", "watch", "given", "--frames", "30", "--verify", "--json")
        #expect(watch.code == 0, "\(watch.errors)")
        let end = try #require(try Document.lines(watch.output).last)
        #expect(try end["verified"]["checked"].int == 30 && end["verified"]["wrong"].int == 0)
        #expect(try inContainer(with: given, "frameshare", "watch", "other", "--frames", "1").code == 3)
        #expect(given.end().code == 0 && other.end().code == 0)
    }

    @Test(
        "from a container neither pixels nor tables nor the folder can be written",
        .enabled(if: obstacle == nil, whyNot)
    )
    func writesNothing() throws {
        let given = try channel("given")
        let attack = try inContainer(with: given, "frameshare-hostile-peer", "attack", "/run/frameshare/given.sock")
        let attempts = attack.output.split(separator: "\n").filter { $0.hasPrefix("attempt") }
        #expect(attempts.count >= 50, "\(attack)")
        #expect(attempts.allSatisfy { !$0.contains("SUCCEEDED") }, "\(attack.output)")
        for name in ["given", "fresh"] {
            let publish = try inContainer(with: given, "frameshare", "publish", "--channel", name, "--frames", "1")
            #expect(publish.code == 1, "\(publish)")
        }
        #expect(given.folder.sockets.sorted() == ["given.sock", "given.sock.lock"])
        #expect(given.end().code == 0)
    }

    @Test(
        "a container whose user the channel does not name is turned away, though it has the folder",
        .enabled(if: obstacle == nil, whyNot),
        .enabled(if: isRoot, "only root can choose a container's user outside")
    )
    func strangers() throws {
        let given = try channel("given")
        let stranger = try inContainer(
            with: given,
            as: Self.outside + 1,
            "frameshare",
            "watch",
            "given",
            "--frames",
            "1"
        )
        #expect(stranger.code != 0)
        #expect(stranger.errors.contains("\(Self.outside + 1)"), "\(stranger)")
        #expect(given.end().code == 0)
    }
}
