import CommandTesting
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("Pulled out and plugged in")
    struct Unplugging {
        private static let reason = "is gone: unplugged, or its driver was removed"

        @Test("a camera that is pulled out ends the channel, with the reason at its publisher and every subscriber")
        func pulledOut() throws {
            let folder = try ChannelFolder()
            let camera = try USBCamera(rate: 10, folder: folder)
            defer { camera.unplug() }
            let scene = try Scene(["--source", camera.path, "--size", "640x480"], folder: folder)
            var watchers = try Scene.policies.map { try scene.watch($0) }
            // One that holds a frame meanwhile.
            watchers.append(try scene.watch("latest", "--slow", "2s"))
            try scene.wait(for: watchers, frames: 1)
            camera.unplug()

            let outcome = scene.publisher.wait()
            #expect(outcome.code == 1)
            #expect(outcome.errors.contains("FrameShare USB Camera") && outcome.errors.contains(Self.reason))
            #expect(try Document.lines(outcome.output).last?["event"].text == "end")
            for watcher in watchers {
                let outcome = watcher.wait()
                #expect(outcome.code == 3)
                #expect(outcome.errors.contains("the source failed: the camera 'FrameShare USB Camera"))
                #expect(outcome.errors.contains(Self.reason), "\(outcome.errors)")
                let end = try #require(try Document.lines(outcome.output).last)
                #expect(try end["reason"].text == "channel-lost")
                #expect(try end["error"].text.contains(Self.reason))
            }
            #expect(folder.sockets == [])
        }

        @Test("a publisher can wait for its camera, also for its return, and readers go on with it")
        func comesAndGoes() throws {
            let folder = try ChannelFolder()
            // Which device it will be.
            let path: String
            do {
                let first = try USBCamera(folder: folder)
                path = first.path
                first.unplug()
            }
            let arguments = ["--source", path, "--size", "640x480", "--checksum", "--wait-for-camera", "--json"]
            let publisher = try CommandRun(["publish", "--channel", Scene.channel] + arguments, in: folder)
            func happened(_ event: String, times: Int = 1) throws {
                try Guest.wait("the publisher tells '\(event)'") {
                    try Guest.checkRuns(publisher)
                    return publisher.outputSoFar.split(separator: "\n").count { $0.contains("\"\(event)\"") } == times
                }
            }
            try happened("waiting")
            var camera = try USBCamera(rate: 10, folder: folder)
            defer { camera.unplug() }
            try happened("streaming")
            let watchers = try Scene.policies.map {
                try CommandRun(
                    ["watch", Scene.channel, "--policy", $0, "--reconnect", "--verify", "--json"],
                    in: folder
                )
            }
            try taken(watchers, frames: 2, folder)
            camera.unplug()
            try happened("unplugged")
            #expect(publisher.outputSoFar.contains("is gone. Waiting for it to come back"))
            camera = try USBCamera(rate: 10, folder: folder)
            try happened("streaming", times: 2)
            try taken(watchers, frames: 3, folder)

            for watcher in watchers {
                watcher.send(SIGTERM)
                let outcome = watcher.wait()
                #expect(outcome.code == 0, "\(outcome.errors)\(outcome.output)")
                let end = try #require(try Document.lines(outcome.output).last)
                #expect(try end["frames"].int >= 5, "\(outcome.output)")
                #expect(try end["verified"]["wrong"].int == 0)
            }
            publisher.send(SIGTERM)
            #expect(publisher.wait().code == 0)
        }

        /// Waits until each takes so many frames more from the publisher that is there now.
        private func taken(_ watchers: [CommandRun], frames: UInt64, _ folder: ChannelFolder) throws {
            let directory = ChannelDirectory(path: folder.path)
            var first: [pid_t: UInt64] = [:]
            try Guest.wait("each reader has taken \(frames) frames more") {
                for run in watchers { try Guest.checkRuns(run) }
                guard let monitor = try? ChannelMonitor(channel: Scene.channel, directory: directory),
                    let subscribers = try? monitor.snapshot().subscribers
                else { return false }
                for subscriber in subscribers where first[subscriber.pid] == nil {
                    first[subscriber.pid] = subscriber.delivered
                }
                return watchers.allSatisfy { run in
                    subscribers.contains { $0.pid == run.pid && $0.delivered >= first[run.pid, default: 0] + frames }
                }
            }
        }
    }
}
