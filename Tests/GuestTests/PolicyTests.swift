import CommandTesting
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("Policies")
    struct Policies {
        @Test("a slow reader skips, a queue is bounded, and nothing is withdrawn from one that wants every frame")
        func asNamed() throws {
            let folder = try ChannelFolder()
            let camera = try USBCamera(rate: 10, folder: folder)
            defer { camera.unplug() }
            let scene = try Scene(
                ["--source", camera.path, "--size", "640x480", "--slots", "16"],
                folder: folder
            )
            let latest = try scene.watch("latest", "--slow", "1s")
            let queue = try scene.watch("queue:4", "--slow", "1s")
            let every = try scene.watch("every-frame", "--budget", "8")
            var longestQueue = 0
            try scene.wait("the slow ones have lost frames") { now in
                let subscribers = now?.subscribers ?? []
                let waiting = subscribers.filter { $0.policy == .queue(4) }.map(\.queued).max() ?? 0
                longestQueue = max(longestQueue, waiting)
                for subscriber in subscribers where subscriber.policy == .everyFrame {
                    // The camera does not wait for it, however slow this machine is.
                    #expect(subscriber.dropped == subscriber.droppedByBudget)
                }
                for subscriber in subscribers where subscriber.policy == .latest { #expect(subscriber.queued <= 1) }
                let slow = subscribers.filter { $0.policy != .everyFrame }
                return slow.count == 2 && slow.allSatisfy { $0.droppedByPolicy >= 5 && $0.delivered >= 3 }
            }
            #expect((1...4).contains(longestQueue))
            for end in try scene.finish([latest, queue]) { #expect(try end["lost"]["policy"].int > 0) }
            let end = try scene.finish(every)
            #expect(try end["frames"].int > 0)
            try scene.waitUntilAllIsBack()
            try scene.close()
        }

        @Test("a reader that lags gets copies of the camera's buffers, byte for byte, and the camera keeps its floor")
        func copies() throws {
            let folder = try ChannelFolder()
            let scene = try Scene(
                [
                    "--source", try Guest.vivid(multiPlanar: true), "--format", "NM12", "--size", "640x480", "--rate",
                    "10", "--slots", "10", "--checksum", "--copies", "16", "--copy-floor", "7",
                ],
                folder: folder
            )
            let slow = try scene.watch("queue:12", "--slow", "500ms", "--verify")
            let quick = try scene.watch("latest", "--verify")
            try scene.wait("the slow one has lost frames") { now in
                guard let now, let reader = now.subscribers.first(where: { $0.policy == .queue(12) }) else {
                    return false
                }
                // What the camera has queued to its driver, and what is free.
                #expect(now.slotsFree + now.slotsAtSource >= 6, "\(now)")
                return reader.getsCopies && reader.copies > 16 && reader.droppedByPolicy > 3 && reader.delivered > 14
            }
            let now = try #require(try scene.statistics)
            #expect(now.lostNoFreeSlot == 0)
            for end in try scene.finish([slow, quick]) {
                #expect(try end["verified"]["checked"].int == end["frames"].int)
                #expect(try end["verified"]["wrong"].int == 0)
                #expect(try end["damaged"].int == 0)
            }
            try scene.waitUntilAllIsBack()
            try scene.close()
        }
    }
}
