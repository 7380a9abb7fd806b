import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("Controls", .timeLimit(.minutes(10)))
struct ControlTests {
    @Test("a source without controls, and a channel that is not there, are told apart")
    func none() throws {
        let folder = try ChannelFolder()
        let run = try CommandRun(["publish", "--channel", "cam", "--size", "64x64"], in: folder)
        try eventually { try frameshare("top", "cam", "--once", in: folder).code == 0 }
        let listed = try frameshare("control", "cam", in: folder)
        #expect(listed.code == 1)
        #expect(listed.errors.contains("its source has no controls"), "\(listed.errors)")
        #expect(try frameshare("control", "cam", "brightness=1", in: folder).code == 1)
        #expect(try frameshare("control", "elsewhere", in: folder).code == 3)
        #expect(try frameshare("control", "cam", "brightness", in: folder).code == 64)
        kill(run.pid, SIGTERM)
        #expect(run.wait().code == 0)
    }
}
