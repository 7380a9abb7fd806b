import Glibc
import PeerTesting
import Testing

@testable import FrameShare

extension FaultTests {
    /// Unmapping a pool takes milliseconds: who does it holds no lock that others wait for, and publishes nothing.
    @Suite("Pools that go")
    struct Unmapping {
        static let strace: String? = ["/usr/bin/strace", "/usr/local/bin/strace"].first { access($0, X_OK) == 0 }
        static let whyNot: Comment = "strace is not installed (Debian package strace)"

        @Test(
            "A pool that goes is unmapped by the publisher's control thread, whoever has dropped it",
            .enabled(if: strace != nil, whyNot),
            arguments: ["nothing", "slot", "frame"]
        )
        func publisher(held: String) async throws {
            let strace = try #require(Self.strace)
            let folder = try PeerFolder()
            let trace = folder.path + "/trace"
            let publisher = try folder.startPublisher(
                "paused",
                "slots=8",
                "width=1024",
                "height=1024",
                below: [strace, "-f", "-e", "trace=munmap", "-o", trace]
            )
            let pid = try await publisher.line("publishing")["pid"]
            var reader: PeerProcess?
            if held == "frame" {
                let holding = try folder.startSubscriber("behaviour=hold", "count=1")
                try await holding.line("attached")
                try await publisher.ask("publish-one", "published-one")
                try await holding.line("holding")
                reader = holding
            }
            if held == "slot" { try await publisher.ask("hold-slot", "held-slot") }
            try await publisher.ask("reconfigure 4 16 16", "reconfigured")
            // A thread that has just been started bears its parent's name for a moment.
            var named: Int?
            while named == nil {
                _ = try await publisher.report()
                named = thread("fs-control", of: pid)
            }
            let control = try #require(named)
            if held == "slot" { try await publisher.ask("drop-slot", "dropped-slot") }
            reader?.send("go-on")
            try await reader?.ask("release", "released")
            // While it publishes, for the last lease's end is seen by that.
            func isUnmapped(_ line: Substring) -> Bool { line.contains("munmap(") && line.contains(", 8388608") }
            var lines: [Substring] = []
            repeat {
                try await publisher.ask("publish-one", "published-one")
                lines = readFile(trace).split(separator: "\n").filter(isUnmapped)
            } while lines.isEmpty
            #expect(lines.count == 1 && lines[0].hasPrefix("\(control) "), "\(lines), control thread \(control)")
        }

        private func thread(_ name: String, of pid: Int) -> Int? {
            guard let folder = opendir("/proc/\(pid)/task") else { return nil }
            defer { closedir(folder) }
            while let entry = readdir(folder) {
                let number = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if readFile("/proc/\(pid)/task/\(number)/comm") == name + "\n" { return Int(number) }
            }
            return nil
        }

        @Test("A reader goes over to another pool under its lock, and unmaps the old one after it")
        func reader() throws {
            let channel = try TestChannel()
            let publisher = try channel.publisher()
            let subscriber = try channel.subscriber()
            try publisher.send(1)
            try #expect(subscriber.drain() == [1])
            try publisher.reconfigure(streams: [Stream(name: "main", layout: .small)], slots: 4)
            try publisher.send(2)
            weak let before = subscriber.received
            let taken = subscriber.locked { state in
                let taken = try? subscriber.take(&state)
                #expect(state.core.current !== before && before != nil, "nothing is unmapped under the lock")
                return taken
            }
            #expect(taken?.received.offer.generation == 2)
            #expect(before == nil)
        }
    }
}
