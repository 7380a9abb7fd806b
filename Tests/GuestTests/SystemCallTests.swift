import CommandTesting
import Foundation
import FrameShare
import Glibc
import Testing

extension RealDrivers {
    @Suite("System calls in steady state")
    struct SystemCalls {
        private static let strace = CommandRun.installed("strace")

        /// `strace -c` of a process while frames are published: how often it made each call, and for how many frames.
        private func calls(_ run: CommandRun, _ scene: Scene) throws -> (counts: [String: Int], frames: Int) {
            let table = scene.folder.scratchFile()
            let strace = try CommandRun(
                ["-f", "-c", "-o", table.path, "-p", "\(run.pid)"],
                of: try #require(Self.strace),
                in: scene.folder
            )
            try Guest.wait("strace is attached") {
                try Guest.checkRuns(strace)
                return strace.errorsSoFar.contains("attached")
            }
            // Asking the publisher how it does makes it answer, so it is asked before and after, and not meanwhile.
            let before = try #require(try scene.statistics).published
            sleep(4)
            let after = try #require(try scene.statistics).published
            strace.send(SIGINT)
            _ = strace.wait()
            var counts: [String: Int] = [:]
            for line in try String(contentsOf: table, encoding: .utf8).split(separator: "\n") {
                // "% time  seconds  usecs/call  calls  [errors]  syscall"
                let words = line.split(separator: " ")
                if words.count >= 5, let last = words.last, let count = Int(words[3]), last != "total" {
                    counts[String(last)] = count
                }
            }
            return (counts, Int(after - before))
        }

        @Test(
            "a camera's publisher and its reader make no call for a frame but the driver's, the wake-up and the wait",
            .enabled(if: strace != nil, "strace is not installed (Debian package strace)")
        )
        func perFrame() throws {
            let folder = try ChannelFolder()
            let scene = try Scene(
                [
                    "--source", try Guest.vivid(multiPlanar: false), "--format", "YUYV", "--size", "640x480", "--rate",
                    "30",
                ],
                folder: folder
            )
            let reader = try scene.watch("latest")
            try scene.wait(for: [reader], frames: 5)

            let publisher = try calls(scene.publisher, scene)
            try #require(publisher.frames >= 10, "\(publisher)")
            #expect(publisher.counts["ioctl", default: 0] >= publisher.frames, "\(publisher)")
            // A frame is dequeued and its buffer queued again; the two snapshots and their connections come on top.
            allow(["ioctl": 2, "poll": 2, "ppoll": 2, "futex": 2, "read": 1], in: publisher, besides: 40)

            let subscriber = try calls(reader, scene)
            try #require(subscriber.frames >= 10, "\(subscriber)")
            // A report each second beside that.
            allow(["futex": 2, "futex_waitv": 2], in: subscriber, besides: 12)
            _ = try scene.finish(reader)
            try scene.close()
        }

        /// - Parameters:
        ///   - perFrame: how often a call may be made for a frame
        ///   - besides: how often any call may be made beside that
        private func allow(_ perFrame: [String: Int], in found: (counts: [String: Int], frames: Int), besides: Int) {
            for (call, count) in found.counts {
                // The frames at both ends are counted by one side only.
                #expect(count <= perFrame[call, default: 0] * (found.frames + 10) + besides, "\(call) in \(found)")
            }
        }
    }
}
