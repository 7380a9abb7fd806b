import CommandTesting
import Foundation
import Testing

/// Other packages' programs as subcommands.
@Suite("Programs of other packages", .timeLimit(.minutes(10)))
struct DoorProgramTests {
    @Test(
        "a subcommand of another package is that package's program, with the arguments as they are",
        arguments: ["v4l2", "pipewire"]
    )
    func passedOn(name: String) throws {
        let folder = try ChannelFolder()
        let programs = folder.scratchFile()
        try FileManager.default.createDirectory(at: programs, withIntermediateDirectories: false)
        let program = programs.appendingPathComponent("frameshare-\(name)")
        try "#!/bin/sh\nfor each in \"$@\"; do echo \"<$each>\"; done\nexit 7\n"
            .write(to: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        let path = programs.path + ":/usr/bin:/bin"
        let run = try frameshare(
            name,
            "a b",
            "--device",
            "/dev/video3",
            "--",
            "program",
            "--help",
            "",
            in: folder,
            environment: ["PATH": path]
        )
        #expect(run.output == "<a b>\n<--device>\n</dev/video3>\n<-->\n<program>\n<--help>\n<>\n" && run.code == 7)
    }

    @Test("where that package is not installed, the error says how to get it", arguments: ["v4l2", "pipewire"])
    func missing(name: String) throws {
        let run = try frameshare(name, "camera0", in: ChannelFolder(), environment: ["PATH": "/nonexistent"])
        #expect(run.code == 1 && run.errors.contains("frameshare-\(name)") && run.errors.contains("make \(name)"))
    }
}
