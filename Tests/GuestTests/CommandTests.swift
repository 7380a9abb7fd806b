import CommandTesting
import Foundation
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("cameras, doctor and snapshot")
    struct Commands {
        @Test("cameras lists each camera with what its driver gives")
        func cameras() throws {
            let folder = try ChannelFolder()
            let usb = try USBCamera(folder: folder)
            defer { usb.unplug() }
            let outcome = try frameshare("cameras", "--json", in: folder)
            #expect(outcome.code == 0, "\(outcome.errors)")
            let cameras = try Document(outcome.output).elements
            let paths = try cameras.map { try $0["path"].text }
            #expect(Set(paths) == [usb.path, try Guest.vivid(multiPlanar: false), try Guest.vivid(multiPlanar: true)])

            let camera = try #require(try cameras.first { try $0["path"].text == usb.path })
            #expect(try camera["driver"].text == "uvcvideo")
            #expect(try camera["card"].text.hasPrefix("FrameShare USB Camera"))
            #expect(try camera["multi_planar"].bool == false)
            let formats = try camera["formats"].elements
            #expect(try formats.map { try $0["code"].text } == ["YUYV"])
            let sizes = try formats[0]["sizes"].elements.map { "\(try $0["size"].text) \(try $0["rates"].text)" }
            #expect(sizes.sorted() == ["1280x720 15 fps", "320x240 60 fps", "640x480 30 fps"])

            for isMultiPlanar in [false, true] {
                let path = try Guest.vivid(multiPlanar: isMultiPlanar)
                let vivid = try #require(try cameras.first { try $0["path"].text == path })
                #expect(try vivid["driver"].text == "vivid")
                #expect(try vivid["multi_planar"].bool == isMultiPlanar)
                let codes = try vivid["formats"].elements.map { try $0["code"].text }
                #expect(Set(codes).isSuperset(of: ["YUYV", "NV12", "RGB3"]))
                #expect(codes.contains("NM12") == isMultiPlanar)
                let brightness = try vivid["controls"].elements.first { try $0["name"].text == "brightness" }
                #expect(try brightness?["default"].int == 128)
            }
        }

        @Test("doctor says what this kernel has, and whose buffers are protected")
        func doctor() throws {
            let folder = try ChannelFolder()
            let usb = try USBCamera(folder: folder)
            defer { usb.unplug() }
            let outcome = try frameshare("doctor", "--json", in: folder)
            #expect(outcome.code == 0, "\(outcome.output)")
            let report = try Document(outcome.output)
            #expect(try report["ok"].bool)
            func check(_ name: String) throws -> Document {
                try #require(try report["checks"].elements.first { try $0["name"].text == name }, "no check '\(name)'")
            }
            for name in ["memfd", "DMA heaps", "udmabuf", "channel folder"] {
                #expect(try check(name)["state"].text == "ok", "\(name)")
            }
            #expect(try check("DMA heaps")["detail"].text.contains("/dev/dma_heap/system: usable; readers could write"))
            #expect(try check("udmabuf")["detail"].text.contains("readers could write"))
            #expect(try check("memfd")["detail"].text.contains("readers can't write"))
            #expect(try check("CMA")["detail"].text.contains("none set aside"))
            for path in [usb.path, try Guest.vivid(multiPlanar: false), try Guest.vivid(multiPlanar: true)] {
                let camera = try check(path)
                #expect(try camera["state"].text == "ok")
                #expect(try camera["detail"].text.contains("exported read-only: readers can't write"))
            }
        }

        @Test("a camera that another program streams from is named, with who has it")
        func busy() throws {
            let folder = try ChannelFolder()
            let usb = try USBCamera(rate: 10, folder: folder)
            defer { usb.unplug() }
            let scene = try Scene(["--source", usb.path, "--size", "640x480"], folder: folder)
            let second = try frameshare("publish", "--source", usb.path, "--channel", "second", in: folder)
            #expect(second.code == 1)
            #expect(second.errors.contains("\(usb.path) is in use by"))
            #expect(second.errors.contains("\(scene.publisher.pid)"), "\(second.errors)")
            // The first goes on.
            let published = try scene.statistics?.published ?? 0
            try scene.wait("frames go on") { ($0?.published ?? 0) > published }
            try scene.close()
        }

        #if Snapshot
        @Test("a snapshot of the USB camera is a picture of its size")
        func snapshot() throws {
            let folder = try ChannelFolder()
            let usb = try USBCamera(rate: 10, folder: folder)
            defer { usb.unplug() }
            let scene = try Scene(["--source", usb.path, "--size", "640x480"], folder: folder)
            let file = folder.scratchFile().appendingPathExtension("png")
            let outcome = try frameshare("snapshot", Scene.channel, "-o", file.path, "--json", in: folder)
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(try Document(outcome.output)["width"].int == 640)
            let png = [UInt8](try Data(contentsOf: file))
            #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
            // The header's width and height, big-endian; and the chunk that ends a whole file.
            #expect(png.count > 33 && Array(png[16..<24]) == [0, 0, 2, 128, 0, 0, 1, 224])
            #expect(png.suffix(8).elementsEqual([0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82]))
            try scene.close()
        }
        #endif
    }
}
