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
