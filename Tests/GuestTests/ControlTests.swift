import CommandTesting
import Foundation
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("a camera's controls, while it streams")
    struct Controls {
        private func value(of name: String, in folder: ChannelFolder) throws -> String? {
            let outcome = try frameshare("control", Scene.channel, "--json", in: folder)
            try #require(outcome.code == 0, "\(outcome.errors)")
            return try Document(outcome.output).elements.first { try $0["name"].text == name }?["value"].text
        }

        @Test("another process lists and sets them, the driver has them, and frames go on")
        func live() throws {
            let folder = try ChannelFolder()
            let path = try Guest.vivid(multiPlanar: false)
            let scene = try Scene(
                ["--source", path, "--size", "640x360", "--control", "brightness=90"],
                folder: folder
            )
            #expect(try value(of: "brightness", in: folder) == "90")

            let outcome = try frameshare("control", Scene.channel, "brightness=17", "hue=5", in: folder)
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.output == "brightness=17\nhue=5\n")
            #expect(try value(of: "brightness", in: folder) == "17")
            // The driver itself, asked by a process that has nothing to do with the channel.
            let cameras = try frameshare("cameras", path, "--json", in: folder)
            let controls = try Document(cameras.output).elements[0]["controls"].elements
            #expect(try controls.first { try $0["name"].text == "brightness" }?["value"].text == "17")

            let published = try scene.statistics?.published ?? 0
            try scene.wait("frames go on") { ($0?.published ?? 0) > published + 10 }
            _ = try frameshare("control", Scene.channel, "brightness=128", "hue=0", in: folder)
            try scene.close()
        }

        @Test("every control is set to what it shows, and shows that again", arguments: [false, true])
        func roundTrip(multiPlanar: Bool) throws {
            let folder = try ChannelFolder()
            let path = try Guest.vivid(multiPlanar: multiPlanar)
            let scene = try Scene(["--source", path, "--size", "640x360"], folder: folder)
            func listed() throws -> [Document] {
                let outcome = try frameshare("control", Scene.channel, "--json", in: folder)
                try #require(outcome.code == 0, "\(outcome.errors)")
                return try Document(outcome.output).elements
            }
            let before = try listed()
            #expect(before.count > 30)
            let names = try before.map { try $0["name"].text }
            #expect(Set(names).count == names.count, "each name means one control")
            // In one go: here each start of the command takes its time.
            var settings: [String] = []
            for control in before {
                let name = try control["name"].text
                guard let shown = try? control["value"].text, try !control["read_only"].bool else { continue }
                guard !name.hasPrefix("enable_capture_") else {
                    let outcome = try frameshare("control", Scene.channel, "\(name)=\(shown)", in: folder)
                    #expect(outcome.errors.contains("while the device is streaming"), "\(name): \(outcome.errors)")
                    continue
                }
                settings.append("\(name)=\(shown)")
            }
            #expect(settings.count > 20)
            let outcome = try CommandRun(["control", Scene.channel] + settings, in: folder).wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.output == settings.map { $0 + "\n" }.joined())
            for (old, new) in zip(before, try listed()) {
                let (name, before, after) = (try old["name"].text, try? old["value"].text, try? new["value"].text)
                #expect(try new["name"].text == name)
                // The driver changes these two by itself.
                #expect(before == after || ["gain", "read_only_integer_32_bits"].contains(name), "\(name)")
            }
            // Each entry of each menu, too: by its number.
            for control in before {
                let (name, kind) = (try control["name"].text, try control["kind"].text)
                guard kind == "menu", try !control["read_only"].bool, name.contains("menu") else { continue }
                let was = try control["value"].text
                for item in try control["items"].elements {
                    let value = try item["value"].text
                    let outcome = try frameshare("control", Scene.channel, "\(name)=\(value)", in: folder)
                    #expect(outcome.output == "\(name)=\(value)\n", "\(outcome.errors)")
                    #expect(try self.value(of: name, in: folder) == value)
                }
                _ = try frameshare("control", Scene.channel, "\(name)=\(was)", in: folder)
            }
            try scene.close()
        }

        @Test("each that can't be set is named with the reason, and the others are set")
        func refused() throws {
            let folder = try ChannelFolder()
            let path = try Guest.vivid(multiPlanar: false)
            let scene = try Scene(["--source", path, "--size", "640x360"], folder: folder)
            let outcome = try frameshare(
                "control",
                Scene.channel,
                "brightness=4000",
                "flavour=1",
                "contrast=77",
                in: folder
            )
            #expect(outcome.code == 1)
            #expect(outcome.output == "contrast=77\n")
            #expect(outcome.errors.contains("brightness") && outcome.errors.contains("0 to 255"), "\(outcome.errors)")
            #expect(outcome.errors.contains("flavour"), "\(outcome.errors)")
            _ = try frameshare("control", Scene.channel, "contrast=128", in: folder)
            try scene.close()
        }

        @Test("where the publisher lets nobody, nothing is set, and the reason is told")
        func notAllowed() throws {
            let folder = try ChannelFolder()
            let path = try Guest.vivid(multiPlanar: false)
            let scene = try Scene(
                ["--source", path, "--size", "640x360", "--control-access", "nobody"],
                folder: folder
            )
            let before = try value(of: "brightness", in: folder)
            let outcome = try frameshare("control", Scene.channel, "brightness=3", in: folder)
            #expect(outcome.code == 1)
            #expect(outcome.errors.contains("lets nobody set its controls"), "\(outcome.errors)")
            #expect(try value(of: "brightness", in: folder) == before)
            try scene.close()
        }
    }
}
