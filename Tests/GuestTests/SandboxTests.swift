import CommandTesting
import Foundation
import Testing

extension RealDrivers {
    @Suite("The service's system calls")
    struct Sandbox {
        /// A command line that runs what follows it under a profile, which any other call ends.
        private func confined(_ role: String, in folder: ChannelFolder) throws -> [String] {
            let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            let generate = package.appendingPathComponent("Packaging/generate")
            let generated = try CommandRun(["profile", role], of: generate, in: folder).wait()
            try #require(generated.code == 0, "\(generated.errors)")
            let profile = folder.scratchFile()
            try generated.outputBytes.write(to: profile)
            return [package.appendingPathComponent("Tests/PackagingTests/confine").path, profile.path, "--kill"]
        }

        @Test(
            "are enough to share a camera from any memory, and to read it",
            arguments: ["driver", "heap:system", "udmabuf", "memfd"]
        )
        func camera(memory: String) throws {
            let folder = try ChannelFolder()
            let source = try Guest.vivid(multiPlanar: false)
            // A camera's frames are not in a memfd.
            let what =
                memory == "memfd" ? ["--source", "pattern"] : ["--source", source, "--format", "YUYV", "--checksum"]
            let scene = try Scene(
                what + ["--memory", memory, "--size", "640x360", "--rate", "5", "--slots", "8"],
                folder: folder,
                below: try confined("publisher", in: folder)
            )
            let command =
                try confined("subscriber", in: folder) + [
                    CommandRun.executable.path, "watch", Scene.channel, "--frames", "3", "--verify", "--json",
                ]
            let watch = try CommandRun(Array(command.dropFirst()), of: URL(fileURLWithPath: command[0]), in: folder)
                .wait()
            #expect(watch.code == 0, "\(watch)")
            #expect(try #require(try Document.lines(watch.output).last)["verified"]["checked"].int == 3)
            try scene.close()
        }
    }
}
