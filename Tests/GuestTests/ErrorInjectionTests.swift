import CommandTesting
import FrameShare
import FrameSources
import Glibc
import Testing

extension RealDrivers {
    /// All of vivid's controls that make its driver misbehave, with a reader of each policy.
    @Suite("A driver with errors")
    struct ErrorInjection {
        private static let devices = [false, true]
        /// A busy machine may keep a reader of every frame from them for a while.
        private let patience = ["--slots", "16"]

        private func press(_ name: String, _ path: String) throws {
            _ = try V4L2Device(path: path).setControl(name, to: true)
        }

        /// Waits until each reader has taken so many frames more.
        private func goOn(_ scene: Scene, _ watchers: [CommandRun], frames: UInt64 = 3) throws {
            let before = try scene.statistics?.subscribers.reduce(into: [:]) { $0[$1.pid] = $1.delivered } ?? [:]
            try scene.wait("each reader has taken \(frames) frames more") { now in
                for watcher in watchers { try Guest.checkRuns(watcher) }
                let taken = now?.subscribers.reduce(into: [:]) { $0[$1.pid] = $1.delivered } ?? [:]
                return watchers.allSatisfy { taken[$0.pid, default: 0] >= before[$0.pid, default: 0] + frames }
            }
        }

        private func subscriber(of scene: Scene) throws -> Subscriber {
            var options = Subscriber.Options()
            options.directory = ChannelDirectory(path: scene.folder.path)
            options.budget = 6
            return try Subscriber(channel: Scene.channel, policy: .everyFrame, options: options)
        }

        /// One of the next frames says that frames are missing before it.
        private func expectBreak(_ subscriber: Subscriber) throws {
            var isTold = false
            for _ in 0..<200 where !isTold {
                guard let frame = try subscriber.nextBlocking(timeout: .seconds(60)) else { break }
                isTold = frame.flags.contains(.discontinuity)
            }
            #expect(isTold)
        }

        @Test("errors of a stream that runs cost frames, and nobody the channel", arguments: devices)
        func running(multiPlanar: Bool) throws {
            let path = try Guest.vivid(multiPlanar: multiPlanar)
            let folder = try ChannelFolder()
            let arguments = ["--source", path, "--input", "0", "--size", "320x180", "--rate", "30"]
            let scene = try Scene(arguments + ["--frame-timeout", "2s"] + patience, folder: folder)
            let watchers = try Scene.policies.map { try scene.watch($0) }
            try goOn(scene, watchers)
            let generation = try scene.statistics?.generation

            // The frame comes, and says that it is damaged.
            try press("inject_v4l2_buf_flag_error", path)
            try goOn(scene, watchers)
            #expect(try scene.statistics?.sourceErrors == 0)
            for name in ["inject_vidioc_qbuf_error", "inject_fatal_streaming_error"] {
                let before = try scene.statistics?.sourceErrors ?? 0
                let subscriber = try subscriber(of: scene)
                try press(name, path)
                // At once: a subscriber of every frame that doesn't take them is cut off.
                try expectBreak(subscriber)
                subscriber.close()
                try scene.wait("the error is counted") { ($0?.sourceErrors ?? 0) > before }
                try goOn(scene, watchers)
                try scene.wait("the trouble is over") { $0?.sourceTrouble == "" }
            }
            // Silence, and what comes after it.
            let device = try V4L2Device(path: path)
            try device.setControl("percentage_of_dropped_buffers", to: 100)
            try scene.wait("the silence is told") { $0?.sourceTrouble.contains("gave no frame") ?? false }
            try device.setControl("percentage_of_dropped_buffers", to: 50)
            try goOn(scene, watchers)
            try device.setControl("percentage_of_dropped_buffers", to: 0)
            // They are for the next start, which the fatal error brings.
            for name in ["inject_vidioc_streamon_error", "inject_fatal_streaming_error"] { try press(name, path) }
            try scene.wait("the trouble is over") { $0?.sourceTrouble == "" }
            try goOn(scene, watchers)

            #expect(try scene.statistics?.generation == generation)
            let ends = try scene.finish(watchers)
            #expect(try ends.allSatisfy { try $0["frames"].int > 10 })
            try scene.waitUntilAllIsBack()
            try scene.close()
        }

        @Test("counts and time stamps that wrap lose nobody a frame", arguments: devices)
        func wrapping(multiPlanar: Bool) throws {
            let path = try Guest.vivid(multiPlanar: multiPlanar)
            let device = try V4L2Device(path: path)
            defer {
                for name in ["wrap_sequence_number", "wrap_timestamp"] { _ = try? device.setControl(name, to: 0) }
            }
            for name in ["wrap_sequence_number", "wrap_timestamp"] { try device.setControl(name, to: 1) }
            let scene = try Scene(
                ["--source", path, "--size", "320x180", "--rate", "30"] + patience,
                folder: try ChannelFolder()
            )
            let watchers = try Scene.policies.map { try scene.watch($0) }
            try goOn(scene, watchers, frames: 40)
            for end in try scene.finish(watchers) { #expect(try end["lost"]["source"].int < 1000) }
            try scene.close()
        }

        @Test(
            "an error at the start is gone over",
            arguments: devices,
            ["inject_vidioc_reqbufs_error", "inject_vidioc_streamon_error", "inject_vidioc_qbuf_error"]
        )
        func starting(multiPlanar: Bool, control: String) throws {
            let path = try Guest.vivid(multiPlanar: multiPlanar)
            try press(control, path)
            let scene = try Scene(
                ["--source", path, "--size", "320x180", "--rate", "30"] + patience,
                folder: try ChannelFolder()
            )
            let watcher = try scene.watch("latest")
            try goOn(scene, [watcher])
            _ = try scene.finish(watcher)
            try scene.close()
        }

        @Test("a device that is disconnected comes back to its readers", arguments: devices)
        func disconnecting(multiPlanar: Bool) throws {
            let path = try Guest.vivid(multiPlanar: multiPlanar)
            let scene = try Scene(
                ["--source", path, "--size", "320x180", "--rate", "30", "--wait-for-camera"] + patience,
                folder: try ChannelFolder()
            )
            let watchers = try Scene.policies.map { try scene.watch($0, "--reconnect") }
            try scene.wait(for: watchers, frames: 3)
            try press("disconnect", path)
            try Guest.wait("the publisher has the camera again") {
                try Guest.checkRuns(scene.publisher)
                return scene.publisher.outputSoFar.split(separator: "\n").count { $0.contains("\"streaming\"") } == 2
            }
            try scene.wait(for: watchers, frames: 3)
            _ = try scene.finish(watchers)
            try scene.close()
        }

        @Test("buffers that the machine has no memory for are refused before the driver is asked")
        func tooLarge() throws {
            let path = try Guest.vivid(multiPlanar: false)
            let device = try V4L2Device(path: path)
            let hdmi = try #require(try device.inputs().firstIndex { $0.hasPrefix("HDMI") })
            defer { try? device.setInput(0) }
            let run = try frameshare(
                "publish",
                "--source",
                path,
                "--input",
                "\(hdmi)",
                "--size",
                "16384x8640",
                "--format",
                "NV12",
                "--slots",
                "32",
                in: try ChannelFolder()
            )
            #expect(run.code == 1)
            #expect(run.errors.contains("MemAvailable"), "\(run.errors)")
        }

        @Test("an interlaced source's fields are told with each frame")
        func fields() throws {
            let path = try Guest.vivid(multiPlanar: false)
            let device = try V4L2Device(path: path)
            let video = try #require(try device.inputs().firstIndex { $0.hasPrefix("S-Video") || $0.hasPrefix("TV") })
            defer { try? device.setInput(0) }
            let scene = try Scene(["--source", path, "--input", "\(video)"], folder: try ChannelFolder())
            let notes = try #require(try Document.lines(scene.publisher.outputSoFar).first)["notes"].elements
            let isTold = try notes.contains { try $0.text.contains("interlaced") }
            let listed = try frameshare("cameras", path, in: scene.folder)
            #expect(listed.output.contains("--input \(video) "), "\(listed.output.prefix(400))")
            #expect(isTold, "\(notes)")
            let subscriber = try subscriber(of: scene)
            guard let frame = try subscriber.nextBlocking(timeout: .seconds(60)) else {
                Issue.record("the channel has ended")
                return
            }
            let (field, duration) = (frame.metadata["Field"], frame.metadata["FrameDuration"]?.integer ?? 0)
            #expect(field == .string("interlaced"))
            #expect(duration > 0)
            try scene.close()
        }
    }
}
