import CommandTesting
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("Killed subscribers")
    struct KilledSubscribers {
        /// With the USB camera: it drops nothing by itself, however slow the machine is, so a gap in what its driver gives is
        /// a frame that found no buffer.
        @Test(
            "killing any subscriber at any moment costs the camera no frame, and all slots come back",
            arguments: ["driver", "heap:system", "udmabuf"]
        )
        func anyMoment(memory: String) throws {
            let folder = try ChannelFolder()
            let camera = try USBCamera(rate: 5, folder: folder)
            defer { camera.unplug() }
            let scene = try Scene(
                ["--source", camera.path, "--size", "640x480", "--slots", "16", "--memory", memory],
                folder: folder
            )
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
            #expect(after.lostBySource == before.lostBySource)
            #expect(after.lostNoFreeSlot == before.lostNoFreeSlot)
            let end = try scene.finish(survivor)
            #expect(try end["lost"]["source"].int == 0)
            #expect(try end["lost"]["no_free_slot"].int == 0)
            try scene.waitUntilAllIsBack()
            try scene.close()
        }

        private func kill(_ run: CommandRun) {
            run.send(SIGKILL)
            #expect(run.wait().code == -SIGKILL)
        }
    }
}
