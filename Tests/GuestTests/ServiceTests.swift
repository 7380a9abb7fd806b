import CommandTesting
import Foundation
import Testing

extension RealDrivers {
    @Suite("The installed service")
    struct Service {
        private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("run-service")
        /// The Debian package, where `Packaging/build-packages` has left it.
        static let package: String? = {
            let folder = script.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent(".build-packages/dist")
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            return names.first { $0.hasPrefix("frameshare_") && $0.hasSuffix(".deb") }
                .map { folder.appendingPathComponent($0).path }
        }()

        @Test("systemd runs the unit, locked down, and its camera's frames reach a subscriber")
        func runs() throws { try serves(CommandRun.executable.path) }

        @Test(
            "so it runs the Debian package's unit, enabled and as it is",
            .enabled(if: package != nil, "there is no .build-packages/dist/frameshare_*.deb: make packages")
        )
        func runsPackage() throws { try serves(try #require(Self.package)) }

        private func serves(_ installed: String) throws {
            let folder = try ChannelFolder()
            let camera = try Guest.vivid(multiPlanar: false)
            let outcome = try CommandRun([installed, camera], of: Self.script, in: folder).wait()
            #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
            let lines = outcome.output.split(separator: "\n").map { $0.replacingOccurrences(of: "\t", with: " ") }
            #expect(lines.contains("/run/frameshare/camera0 755 frameshare frameshare"), "\(lines)")
            #expect(lines.contains("/run/frameshare/camera0/camera0.sock 660 frameshare frameshare"))
            #expect(lines.contains { $0.hasPrefix("Uid: 990 990 990 990") })
            #expect(lines.contains("Seccomp: 2") && lines.contains("NoNewPrivs: 1"))
            #expect(lines.contains("CapBnd: 0000000000000000"))
            let end = try Document(try #require(lines.last))
            #expect(try end["verified"]["checked"].int == 3 && end["verified"]["wrong"].int == 0)
        }
    }
}
