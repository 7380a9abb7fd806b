import CommandTesting
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("Pixels")
    struct Pixels {
        /// A camera and how it is set up.
        struct Case: CustomTestStringConvertible, Sendable {
            /// By V4L2's code; nil: the USB camera, which gives YUYV.
            var format: String?
            var size: String
            var memory: String

            var testDescription: String { "\(format.map { "vivid \($0)" } ?? "USB camera") \(size), \(memory)" }
            var isMultiPlanar: Bool { format?.hasPrefix("NM") ?? false }

            /// Who made the buffers, as the kernel calls it.
            var exporter: String {
                switch memory {
                case "driver": "videobuf2_vmalloc"
                case "heap:system": "system"
                default: memory
                }
            }
        }

        static let cases: [Case] = ["driver", "heap:system", "udmabuf"].flatMap { memory in
            let vivid = ["640x480", "1280x720"].flatMap { size in
                ["YUYV", "NV12", "RGB3", "NM12"].map { Case(format: $0, size: size, memory: memory) }
            }
            return [Case(format: nil, size: "640x480", memory: memory)] + vivid
        }

        @Test(
            "three processes read every pixel as the driver wrote it, in the driver's own memory",
            arguments: cases
        )
        func everyPixel(_ now: Case) throws {
            let folder = try ChannelFolder()
            let usb = now.format == nil ? try USBCamera(rate: 5, folder: folder) : nil
            defer { usb?.unplug() }
            let source = try usb?.path ?? Guest.vivid(multiPlanar: now.isMultiPlanar)
            var arguments = ["--source", source, "--size", now.size, "--rate", "5", "--memory", now.memory]
            arguments += ["--checksum", "--slots", "12"]
            if let format = now.format { arguments += ["--format", format] }
            let scene = try Scene(arguments, folder: folder)
            let watchers = try Scene.policies.map { try scene.watch($0, "--verify") }
            try scene.wait(for: watchers, frames: 4)

            let statistics = try #require(try scene.statistics)
            let layout = try #require(statistics.streams.first).stream.layout
            #expect("\(layout.width)x\(layout.height)" == now.size)
            #expect(layout.bufferCount == (now.isMultiPlanar ? 2 : 1))
            #expect(statistics.streams.first?.memory.isDMABuf == true)
            // The very same buffers on both sides, and nobody but the driver may write to its own.
            let mine = try SharedBuffer.of(process: scene.publisher.pid)
            #expect(mine.count == statistics.slots * layout.bufferCount)
            #expect(mine.allSatisfy { $0.exporter == now.exporter && $0.isReadOnly == (now.memory == "driver") })
            for watcher in watchers { #expect(try SharedBuffer.of(process: watcher.pid) == mine) }

            for end in try scene.finish(watchers) {
                #expect(try end["frames"].int >= 4)
                #expect(try end["verified"]["checked"].int == end["frames"].int)
                #expect(try end["verified"]["wrong"].int == 0)
                #expect(try end["damaged"].int == 0)
            }
            try scene.waitUntilAllIsBack()
            try scene.close()
        }

        @Test(
            "the USB camera's frames are what it sent, byte by byte, and each that is missing was counted",
            arguments: ["driver", "heap:system", "udmabuf"]
        )
        func sentBytes(memory: String) throws {
            let folder = try ChannelFolder()
            let camera = try USBCamera(rate: 10, folder: folder)
            defer { camera.unplug() }
            let scene = try Scene(
                ["--source", camera.path, "--size", "640x480", "--memory", memory],
                folder: folder
            )
            let cat = try CommandRun(
                ["cat", Scene.channel, "--format", "raw", "--policy", "every-frame", "--frames", "20"],
                in: folder
            )
            // What it had no room for itself, on a slow machine.
            var own: UInt64 = 0
            while cat.isRunning { own = max(own, try scene.statistics?.subscribers.first?.dropped ?? 0) }
            #expect(cat.wait().code == 0, "\(cat.errorsSoFar)")
            let verdict = try USBCamera.verify(cat.outputFile, size: "640x480", folder: folder)
            #expect(verdict.isRight, "\(verdict.text)")
            #expect(verdict.frames == 20, "\(verdict.text)")
            // A gap is told when frames that were overtaken can't come any more.
            let published = try scene.statistics?.published ?? 0
            try scene.wait("a few frames more are published") { ($0?.published ?? 0) > published + 5 }
            let statistics = try #require(try scene.statistics)
            #expect(verdict.missing <= statistics.lostBySource + statistics.lostNoFreeSlot + own, "\(verdict.text)")
            try scene.waitUntilAllIsBack()
            try scene.close()
        }
    }
}
