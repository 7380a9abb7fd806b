import CommandTesting
import Foundation
import Testing

extension RealDrivers {
    @Suite("The installed service")
    struct Service {
        @Test("systemd runs the unit, locked down, and its camera's frames reach a subscriber")
        func runs() throws {
            let folder = try ChannelFolder()
            let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
                "run-service"
            )
            let camera = try Guest.vivid(multiPlanar: false)
            let outcome = try CommandRun([CommandRun.executable.path, camera], of: script, in: folder).wait()
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
