import CommandTesting
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("Write protection")
    struct Protection {
        /// What came of each attempt to write to a frame: "EACCES", or "SUCCEEDED".
        private func attack(_ scene: Scene) throws -> [String: Set<String>] {
            let program = CommandRun.built("frameshare-hostile-peer")
            let peer = try CommandRun(["attack", scene.socket, "uid=\(Guest.nobody)"], of: program, in: scene.folder)
            let outcome = peer.wait()
            #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
            #expect(outcome.output.contains("attached user=\(Guest.nobody)"), "\(outcome.output)")
            #expect(outcome.output.hasSuffix("done\n"), "\(outcome.output)")
            var results: [String: Set<String>] = [:]
            for line in outcome.output.split(separator: "\n") where line.hasPrefix("attempt buffer ") {
                let words = line.split(separator: " ").map(String.init)
                if words.count == 4 { results[words[2], default: []].insert(words[3]) }
            }
            return results
        }

        /// What `list --json` says of the channel's stream.
        private func listed(_ scene: Scene) throws -> Document {
            try Document(try frameshare("list", "--json", in: scene.folder).output)[0]["streams"][0]
        }

        @Test("another user can't write to a driver's read-only buffers by any means, and its readers see no change")
        func readOnlyExport() throws {
            let folder = try ChannelFolder()
            let scene = try Scene(
                [
                    "--source", try Guest.vivid(multiPlanar: false), "--format", "YUYV", "--size", "640x480", "--rate",
                    "10",
                    "--slots", "12", "--mode", "0666", "--checksum",
                ],
                folder: folder
            )
            let reader = try scene.watch("latest", "--verify")
            try scene.wait(for: [reader], frames: 1)
            let attempts = try attack(scene)
            for means in ["mmap-for-writing", "mprotect", "pwrite", "ftruncate-to-0", "reopen"] {
                #expect(attempts[means] != nil, "\(means) was not tried: \(attempts)")
            }
            for (means, results) in attempts { #expect(!results.contains("SUCCEEDED"), "\(means)") }
            let taken = try scene.statistics?.subscribers.first?.delivered ?? 0
            try scene.wait(for: [reader], frames: taken + 3)
            let end = try scene.finish(reader)
            #expect(try end["verified"]["wrong"].int == 0)
            #expect(try end["verified"]["checked"].int == end["frames"].int)
            let stream = try listed(scene)
            #expect(try stream["readers_can_write"].bool == false)
            #expect(try stream["protection"].text == "read-only-export")
            try scene.close()
        }

        @Test("where buffers can't be protected, list and the publisher say so", arguments: ["heap:system", "udmabuf"])
        func unprotected(memory: String) throws {
            let folder = try ChannelFolder()
            let scene = try Scene(
                [
                    "--source", try Guest.vivid(multiPlanar: false), "--format", "YUYV", "--size", "640x480", "--rate",
                    "10",
                    "--mode", "0666", "--memory", memory,
                ],
                folder: folder
            )
            // If this fails the kernel has learnt to protect them, and what we say is out of date.
            #expect(try attack(scene)["mmap-for-writing"] == ["SUCCEEDED"])
            let stream = try listed(scene)
            #expect(try stream["readers_can_write"].bool)
            #expect(try stream["protection"].text == "none")
            #expect(try frameshare("list", in: folder).output.contains("readers could write"))
            let start = try #require(try Document.lines(scene.publisher.outputSoFar).first)
            #expect(try start["streams"][0]["readers_can_write"].bool)
            try scene.close()
        }
    }
}
