import CommandTesting
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("Policies")
    struct Policies {
        @Test("a slow reader skips, a queue is bounded, and every frame comes to who wants each")
        func asNamed() throws {
            let folder = try ChannelFolder()
            let camera = try USBCamera(rate: 10, folder: folder)
            defer { camera.unplug() }
            let scene = try Scene(
                ["--source", camera.path, "--size", "640x480", "--slots", "16", "--stall-limit", "never"],
                folder: folder
            )
            let latest = try scene.watch("latest", "--slow", "1s")
            let queue = try scene.watch("queue:4", "--slow", "1s")
            let every = try scene.watch("every-frame")
            var longestQueue = 0
            try scene.wait("the slow ones have lost frames") { now in
                let subscribers = now?.subscribers ?? []
                let waiting = subscribers.filter { $0.policy == .queue(4) }.map(\.queued).max() ?? 0
                longestQueue = max(longestQueue, waiting)
                for subscriber in subscribers where subscriber.policy == .everyFrame {
                    #expect(subscriber.dropped == 0)
                }
                for subscriber in subscribers where subscriber.policy == .latest { #expect(subscriber.queued <= 1) }
                let slow = subscribers.filter { $0.policy != .everyFrame }
                return slow.count == 2 && slow.allSatisfy { $0.droppedByPolicy >= 5 && $0.delivered >= 3 }
            }
            #expect((1...4).contains(longestQueue))
            for end in try scene.finish([latest, queue]) { #expect(try end["lost"]["policy"].int > 0) }
            let end = try scene.finish(every)
            #expect(try end["lost"]["policy"].int == 0)
            #expect(try end["frames"].int > 0)
            try scene.waitUntilAllIsBack()
            try scene.close()
        }
    }
}
