import CommandTesting
import FrameShare
import FrameSources
import Glibc
import Synchronization
import Testing

extension RealDrivers {
    @Suite("A camera on demand")
    struct OnDemandCameras {
        /// Whether the driver lets another program set the device up: it refuses that with EBUSY while anybody has buffers of
        /// it, streaming or not.
        private func isFree(_ path: String) throws -> Bool {
            do throws(V4L2Error) {
                _ = try V4L2Camera(device: V4L2Device(path: path), configuration: .init(slots: 2))
                return true
            } catch {
                if case .busy = error { return false }
                throw error
            }
        }

        private func state(_ folder: ChannelFolder) throws -> SourceState {
            let directory = ChannelDirectory(path: folder.path)
            return try ChannelMonitor(channel: "cam", directory: directory).snapshot().sourceState
        }

        private func publisher(_ path: String, _ folder: ChannelFolder, _ more: String...) throws -> CommandRun {
            let run = try CommandRun(
                ["publish", "--channel", "cam", "--source", path, "--on-demand", "--json"] + more,
                in: folder
            )
            try Guest.wait("the channel is there") {
                try Guest.checkRuns(run)
                return (try? state(folder)) == .asleep
            }
            return run
        }

        private func reads(_ folder: ChannelFolder, _ more: String...) throws {
            let outcome = try CommandRun(["watch", "cam", "--frames", "3"] + more, in: folder).wait()
            #expect(outcome.code == 0, "\(outcome.errors)\(outcome.output)")
        }

        @Test("the driver's streaming is off and its buffers are gone while nobody reads", arguments: [false, true])
        func isOff(multiPlanar: Bool) throws {
            let folder = try ChannelFolder()
            let path = try Guest.vivid(multiPlanar: multiPlanar)
            let run = try publisher(path, folder, "--size", "640x360", "--linger", "100ms", "--warm-up", "2")
            for _ in 0..<2 {
                #expect(try isFree(path))
                let reader = try CommandRun(["watch", "cam", "--json"], in: folder)
                try Guest.wait("frames come") {
                    try Guest.checkRuns(reader)
                    return reader.outputSoFar.contains("\"second\"")
                }
                #expect(try !isFree(path))
                reader.send(SIGTERM)
                _ = reader.wait()
                try Guest.wait("it sleeps") { try state(folder) == .asleep }
            }
            // Controls are there meanwhile, and stay as they were set.
            #expect(try frameshare("control", "cam", "brightness=77", in: folder).code == 0)
            try reads(folder)
            #expect(try frameshare("control", "cam", in: folder).output.contains("77"))
            run.send(SIGTERM)
            #expect(run.wait().code == 0)
        }

        @Test("a camera that another program uses is waited for, and those who wait hear why")
        func busy() throws {
            let folder = try ChannelFolder()
            let path = try Guest.vivid(multiPlanar: false)
            let run = try publisher(path, folder, "--size", "640x360", "--linger", "100ms")
            var other: V4L2Camera? = try V4L2Camera(device: V4L2Device(path: path), configuration: .init(slots: 2))
            let reader = try CommandRun(["watch", "cam", "--frames", "2"], in: folder)
            try Guest.wait("the reader hears why") {
                try Guest.checkRuns(reader)
                return reader.errorsSoFar.contains("is in use") || reader.errorsSoFar.contains("busy")
            }
            #expect(try state(folder) == .waiting || state(folder) == .starting)
            try other?.release()
            other = nil
            let outcome = reader.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            run.send(SIGTERM)
            #expect(run.wait().code == 0)
        }

        @Test("a USB camera that is pulled out while it sleeps, starts, or is left, comes back for the next reader")
        func pulledOut() throws {
            let folder = try ChannelFolder()
            var camera = try USBCamera(rate: 10, folder: folder)
            defer { camera.unplug() }
            let run = try publisher(camera.path, folder, "--size", "640x480", "--linger", "300ms", "--warm-up", "0")
            for moment in ["asleep", "starting", "leaving"] {
                var reader: CommandRun?
                switch moment {
                case "asleep": camera.unplug()
                case "starting":
                    reader = try CommandRun(["watch", "cam", "--frames", "2"], in: folder)
                    camera.unplug()
                default:
                    try reads(folder)
                    camera.unplug()
                }
                if reader == nil { reader = try CommandRun(["watch", "cam", "--frames", "2"], in: folder) }
                if let reader, reader.isRunning {
                    try Guest.wait("\(moment): it is tried again") {
                        try Guest.checkRuns(run)
                        return try !reader.isRunning || state(folder) == .waiting
                    }
                }
                camera = try USBCamera(rate: 10, folder: folder)
                if let outcome = reader?.wait() { #expect(outcome.code == 0, "\(moment): \(outcome.errors)") }
                try Guest.wait("\(moment): it sleeps") { try state(folder) == .asleep }
            }
            run.send(SIGTERM)
            #expect(run.wait().code == 0)
        }

        @Test("many that open the device at once get one owner, in threads and in processes")
        func oneOwner() throws {
            let folder = try ChannelFolder()
            let path = try Guest.vivid(multiPlanar: false)
            let readers = try (0..<3).map { _ in
                try CommandRun(["watch", path, "--frames", "2", "--json"], in: folder)
            }
            let names = Mutex<[String]>([])
            let left = Atomic(20)
            for _ in 0..<20 {
                try BackgroundThread.start(name: "fs-test") {
                    let owner = SourceOwner(directory: ChannelDirectory(path: folder.path))
                    let name = (try? owner.channel(of: path)) ?? "none"
                    names.withLock { $0.append(name) }
                    left.subtract(1, ordering: .relaxed)
                }
            }
            var publishers: Set<Int> = []
            for reader in readers {
                let outcome = reader.wait()
                #expect(outcome.code == 0, "\(outcome.errors)")
                let first = try #require(try Document.lines(outcome.output).first)
                publishers.insert(try first["publisher_pid"].int)
            }
            try Guest.wait("all threads have their answer") { left.load(ordering: .relaxed) == 0 }
            #expect(publishers.count == 1)
            #expect(names.withLock { Set($0).count } == 1 && !names.withLock { $0.contains("none") })
            try Guest.wait("it ends by itself") { folder.sockets.isEmpty }
            #expect(try isFree(path))
        }
    }
}
