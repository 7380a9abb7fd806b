import CommandTesting
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("Killed subscribers")
    struct KilledSubscribers {
        @Test(
            "killing any subscriber at any moment costs the USB camera no frame, and all slots come back",
            arguments: ["driver", "heap:system", "udmabuf"]
        )
        func usb(memory: String) throws {
            let folder = try ChannelFolder()
            let camera = try USBCamera(rate: 5, folder: folder)
            defer { camera.unplug() }
            let (before, after) = try kill(memory: memory, source: ["--source", camera.path], folder)
            #expect(after.lostNoFreeSlot == before.lostNoFreeSlot)
            // It drops nothing by itself, however slow the machine is.
            #expect(after.lostBySource == before.lostBySource)
        }

        @Test("killing any subscriber at any moment leaves vivid its buffers", arguments: ["driver", "udmabuf"])
        func vivid(memory: String) throws {
            let source = ["--source", try Guest.vivid(multiPlanar: true), "--format", "NM12", "--rate", "5"]
            let (before, after) = try kill(memory: memory, source: source, ChannelFolder())
            // What it skips by itself when the machine is busy is not ours.
            #expect(after.lostNoFreeSlot == before.lostNoFreeSlot)
        }

        /// Kills subscribers, and returns the channel's state before and after.
        private func kill(
            memory: String,
            source: [String],
            _ folder: ChannelFolder
        ) throws -> (before: ChannelStatistics, after: ChannelStatistics) {
            let options = ["--size", "640x480", "--slots", "16", "--memory", memory]
            let scene = try Scene(source + options, folder: folder)
            let survivor = try scene.watch("queue:4")
            try scene.wait(for: [survivor], frames: 2)
            let before = try #require(try scene.statistics)

            // While it holds a frame, or waits for one.
            for policy in Scene.policies {
                let holder = policy == "every-frame" ? try scene.watch(policy) : try scene.watch(policy, "--slow", "1m")
                try scene.wait(for: [holder], frames: 1)
                kill(holder)
            }
            // At whatever it does: starting, connecting, taking its buffers, its first frames.
            for (index, delay) in [200, 30, 400, 90, 250, 150].enumerated() {
                let newcomer = try scene.watch(Scene.policies[index % 3])
                usleep(useconds_t(delay) * 1000)
                kill(newcomer)
            }

            try scene.wait("the killed are gone and frames go on") { now in
                now.map { $0.subscribers.count == 1 && $0.published >= before.published + 15 } ?? false
            }
            let after = try #require(try scene.statistics)
            let end = try scene.finish(survivor)
            #expect(try end["lost"]["no_free_slot"].int == 0)
            try scene.waitUntilAllIsBack()
            try scene.close()
            return (before, after)
        }

        private func kill(_ run: CommandRun) {
            run.send(SIGKILL)
            #expect(run.wait().code == -SIGKILL)
        }
    }
}
