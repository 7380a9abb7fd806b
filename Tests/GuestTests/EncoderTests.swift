import CommandTesting
import Foundation
import FrameShare
import Glibc
import PixelFormats
import Testing

extension RealDrivers {
    /// vicodec stands in for the encoder of a Raspberry Pi 4: `bcm2835-codec` has the same interface.
    @Suite("V4L2 encoders")
    struct Encoders {
        private static let packets = "packets"

        private func encode(_ folder: ChannelFolder, _ more: String...) throws -> CommandRun {
            try CommandRun(
                ["encode", Scene.channel, "--as", Self.packets, "--codec", "v4l2:fwht", "--json"] + more,
                in: folder
            )
        }

        /// vicodec's decoder.
        private func decoder() throws -> String {
            for number in 0..<32 {
                let folder = "/sys/class/video4linux/video\(number)"
                let name = try? String(contentsOfFile: "\(folder)/name", encoding: .utf8)
                if name?.hasPrefix("stateful-decoder") == true || name?.hasPrefix("vicodec-stateful-dec") == true {
                    return "/dev/video\(number)"
                }
            }
            throw Guest.Failure(description: "vicodec isn't loaded; Tests/Guest/run-suite does it")
        }

        /// Originals and packets of the same sequence numbers.
        private struct Taken {
            var originals: [[UInt8]] = []
            var stream: [UInt8] = []
            var keyframes = 0
        }

        /// Reads both channels, the packets from a keyframe on, until so many packets are there whose originals are, too.
        private func take(_ count: Int, _ scene: Scene, _ encoder: CommandRun) throws -> Taken {
            var options = Subscriber.Options()
            options.directory = ChannelDirectory(path: scene.folder.path)
            let camera = try Subscriber(channel: Scene.channel, policy: .queue(4), options: options)
            try Guest.wait("the packets' channel is there") {
                try Guest.checkRuns(encoder)
                return scene.folder.sockets.contains("\(Self.packets).sock")
            }
            let packets = try Subscriber(channel: Self.packets, policy: .queue(32), options: options)
            var originals: [UInt64: [UInt8]] = [:]
            var encoded: [(sequence: UInt64, bytes: [UInt8])] = []
            var taken = Taken()
            try Guest.wait("\(count) packets came") {
                try Guest.checkRuns(scene.publisher)
                try Guest.checkRuns(encoder)
                while let frame = try camera.tryNext() {
                    guard let image = frame.image(at: 0) else { continue }
                    originals[frame.sequence] = image.bytes.withUnsafeBytes { Array($0) }
                }
                while let packet = try packets.tryNext() {
                    guard let image = packet.image(at: 0) else { continue }
                    let used = image.bytesUsed(plane: 0)
                    if packet.flags.contains(.keyframe) { taken.keyframes += 1 }
                    guard taken.keyframes > 0 else { continue }
                    encoded.append((packet.sequence, image.bytes.withUnsafeBytes { Array($0[..<used]) }))
                }
                return encoded.filter { originals[$0.sequence] != nil }.count >= count
            }
            camera.close()
            packets.close()
            for packet in encoded {
                taken.stream += packet.bytes
                taken.originals.append(originals[packet.sequence] ?? [])
            }
            return taken
        }

        /// What the kernel's decoder makes of the stream: one frame's bytes after the other.
        private func decode(_ stream: [UInt8], width: Int, height: Int, folder: ChannelFolder) throws -> [UInt8] {
            let (from, to) = (folder.scratchFile(), folder.scratchFile())
            try Data(stream).write(to: from)
            let run = try CommandRun(
                [
                    "-d", try decoder(), "--set-fmt-video-out=width=\(width),height=\(height),pixelformat=FWHT",
                    "--stream-out-mmap", "--stream-mmap", "--stream-from=\(from.path)", "--stream-to=\(to.path)",
                ],
                of: URL(fileURLWithPath: "/usr/bin/v4l2-ctl"),
                in: folder
            )
            let outcome = run.wait()
            try #require(outcome.code == 0, "\(outcome.errors)\(outcome.output)")
            return [UInt8](try Data(contentsOf: to))
        }

        /// Peak signal to noise, dB.
        private func likeness(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Double {
            var sum = 0
            for (x, y) in zip(a, b) { sum += (Int(x) - Int(y)) * (Int(x) - Int(y)) }
            return sum == 0 ? 99 : 10 * log10(255 * 255 * Double(a.count) / Double(sum))
        }

        /// How many of the originals, 640x480 NV12, are like what their packets decode to; any that is not is an issue.
        private func compared(_ taken: Taken, _ folder: ChannelFolder) throws -> Int {
            let size = 640 * 480 * 3 / 2
            let decoded = try decode(taken.stream, width: 640, height: 480, folder: folder)
            var compared = 0
            for (index, original) in taken.originals.enumerated() where (index + 1) * size <= decoded.count {
                guard original.count >= size else { continue }
                let brightness = decoded[index * size..<index * size + 640 * 480]
                #expect(likeness(brightness, original[..<(640 * 480)]) > 30, "frame \(index)")
                compared += 1
            }
            return compared
        }

        @Test("the encoder reads the camera's own buffers, and its packets decode to the camera's pictures")
        func imported() throws {
            let folder = try ChannelFolder()
            let scene = try Scene(
                [
                    "--source", try Guest.vivid(multiPlanar: false), "--size", "640x480", "--format", "NV12", "--rate",
                    "5", "--slots", "8",
                ],
                folder: folder
            )
            let encoder = try encode(folder, "--keyframe-interval", "4", "--quality", "90", "--low-latency")
            let taken = try take(8, scene, encoder)
            // The very buffers that the camera's driver exported, read-only.
            let mine = try SharedBuffer.of(process: scene.publisher.pid)
            #expect(try SharedBuffer.of(process: encoder.pid) == mine)
            #expect(mine.allSatisfy { $0.isReadOnly })
            encoder.send(SIGTERM)
            let outcome = encoder.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let lines = try Document.lines(outcome.output)
            #expect(try lines.first?["in_place"].bool == true, "\(outcome.output)")
            let end = try #require(lines.last)
            #expect(try end["copied"].int == 0)
            #expect(try end["damaged"].int == 0)
            #expect(try end["imported"].int >= 8)
            #expect(try end["imported"].int == end["packets"].int)
            #expect(taken.keyframes >= 2)
            try scene.waitUntilAllIsBack()
            try scene.close()

            #expect(try compared(taken, folder) >= 4)
        }

        @Test("a layout that the device can't read in place is copied, and the reason is told")
        func copied() throws {
            let folder = try ChannelFolder()
            let scene = try Scene(
                [
                    "--source", try Guest.vivid(multiPlanar: false), "--size", "1920x1080", "--format", "NV12",
                    "--rate", "5",
                ],
                folder: folder
            )
            let encoder = try encode(folder, "--frames", "3")
            let outcome = encoder.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let lines = try Document.lines(outcome.output)
            #expect(try lines.first?["in_place"].bool == false, "\(outcome.output)")
            #expect(try lines.first?["copied_because"].text.contains("1088 rows for 1080") == true, "\(outcome.output)")
            #expect(try lines.last?["copied"].int == 3)
            #expect(try lines.last?["imported"].int == 0)
            #expect(try lines.last?["packets"].int == 3)
            try scene.close()
        }

        @Test("an encoder that reads the camera's buffers in place goes on by copying when it is given copies")
        func copiesOfTheCamera() throws {
            let folder = try ChannelFolder()
            // Whoever has two frames is given copies: also an encoder that keeps up.
            let scene = try Scene(
                [
                    "--source", try Guest.vivid(multiPlanar: false), "--size", "640x480", "--format", "NV12", "--rate",
                    "10", "--slots", "8", "--copies", "8", "--copy-floor", "8",
                ],
                folder: folder
            )
            let encoder = try encode(folder, "--keyframe-interval", "4", "--quality", "90")
            try scene.wait(for: [encoder], frames: 3)
            // It sleeps while some frames come.
            encoder.send(SIGSTOP)
            let before = try #require(try scene.statistics).published
            try scene.wait("frames were copied") { now in
                (now?.copies?.copied ?? 0) > 2 && (now?.published ?? 0) > before + 5
            }
            encoder.send(SIGCONT)
            let taken = try take(6, scene, encoder)
            encoder.send(SIGTERM)
            let outcome = encoder.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let lines = try Document.lines(outcome.output)
            let told = try lines.filter { try $0["event"].text == "copying" }
            #expect(try told.map { try $0["copied_because"].text }.first?.contains("no device can read") == true)
            let end = try #require(lines.last)
            #expect(try end["copied"].int > 0)
            #expect(try end["damaged"].int == 0)
            #expect(try compared(taken, folder) >= 3)
            try scene.waitUntilAllIsBack()
            try scene.close()
        }

        @Test("ordinary memory is copied, and decodes to what was published")
        func ordinaryMemory() throws {
            let folder = try ChannelFolder()
            let scene = try Scene(
                ["--source", "pattern", "--size", "640x480", "--format", "NV12", "--rate", "5"],
                folder: folder
            )
            let encoder = try encode(folder, "--quality", "90", "--keyframe-interval", "1")
            let taken = try take(4, scene, encoder)
            encoder.send(SIGTERM)
            let outcome = encoder.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let reason = try Document.lines(outcome.output).first?["copied_because"].text
            #expect(reason?.contains("memfd") == true, "\(outcome.output)")
            let size = 640 * 480 * 3 / 2
            let decoded = try decode(taken.stream, width: 640, height: 480, folder: folder)
            let first = try #require(taken.originals.firstIndex { $0.count >= size })
            try #require(decoded.count >= (first + 1) * size)
            let brightness = decoded[first * size..<first * size + 640 * 480]
            #expect(likeness(brightness, taken.originals[first][..<(640 * 480)]) > 25)
            try scene.close()
        }

        @Test("an encoder that is killed costs the camera no frame, and its slots come back")
        func killed() throws {
            let folder = try ChannelFolder()
            let scene = try Scene(
                [
                    "--source", try Guest.vivid(multiPlanar: false), "--size", "640x480", "--format", "YUYV", "--rate",
                    "5", "--slots", "8",
                ],
                folder: folder
            )
            let encoder = try encode(folder)
            try scene.wait(for: [encoder], frames: 4)
            encoder.send(SIGKILL)
            _ = encoder.wait()
            try scene.waitUntilAllIsBack()
            let before = try #require(try scene.statistics)
            try scene.wait("frames go on") { ($0?.published ?? 0) > before.published + 10 }
            #expect(try scene.statistics?.lostNoFreeSlot == 0)
            // The name that it had is free for the next.
            let next = try encode(folder, "--frames", "2").wait()
            #expect(next.code == 0, "\(next.errors)")
            try scene.close()
        }

        @Test("what is no encoder, or can't do what is asked, is an error that says so")
        func refused() throws {
            let folder = try ChannelFolder()
            let camera = try Guest.vivid(multiPlanar: false)
            let scene = try Scene(
                ["--source", camera, "--size", "640x480", "--format", "NV12", "--rate", "5"],
                folder: folder
            )
            func error(_ codec: String, _ more: String...) throws -> String {
                let outcome = try CommandRun(["encode", Scene.channel, "--codec", codec] + more, in: folder).wait()
                #expect(outcome.code == 1, "\(codec): \(outcome.output)")
                return outcome.errors
            }
            #expect(try error("v4l2:h264").contains("no V4L2 device here encodes h264"))
            #expect(try error("v4l2:fwht:\(camera)").contains("it does not go from memory to memory"))
            #expect(try error("v4l2:fwht:\(try decoder())").contains("decoder"))
            #expect(try error("v4l2:fwht:/dev/null").contains("it is no V4L2 device"))
            #expect(try error("v4l2:fwht:/dev/video99").contains("there is no /dev/video99"))
            #expect(try error("v4l2:fwht", "--bit-rate", "4M").contains("no control for a bit rate"))
            try scene.close()
        }
    }
}
