import FrameShare
import Glibc
import PeerTesting
import Synchronization
import Testing

/// Replies while the publisher takes none: its control socket is full.
@Suite("Replies that find no room", .timeLimit(.minutes(10)))
struct FullSocketTests {
    @Test("tasks whose replies must wait leave Swift's threads to others")
    func tasks() async throws {
        let folder = try PeerFolder()
        let publisher = try await folder.publisher("slots=4", "rate=100")
        var options = Subscriber.Options()
        options.directory = ChannelDirectory(path: folder.path)
        options.group = "g"
        let subscriber = try Subscriber(channel: "camera", options: options)
        let request = try await OwnThread { () -> FrameRequest in
            while true { if let request = try subscriber.nextBlocking()?.request { return request } }
        }.value
        publisher.kill(SIGSTOP)
        try await publisher.becomes("T")
        // More waiting replies than Swift has threads: each would hold one of them.
        let bytes = Reply.bytes([UInt8](repeating: 1, count: 16_000))
        final class Count: Sendable { let value = Atomic(0) }
        let sent = Count()
        let replies = (0..<(4 * sysconf(Int32(_SC_NPROCESSORS_ONLN)) + 8)).map { _ in
            Task {
                for _ in 0..<50 {
                    sent.value.add(1, ordering: .relaxed)
                    do { try await request.progress(bytes) } catch { return }
                }
            }
        }
        // The socket is full once no reply comes through any more.
        var before = -1
        while sent.value.load(ordering: .relaxed) != before {
            before = sent.value.load(ordering: .relaxed)
            // Resumes only where a thread is left for it.
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(before < replies.count * 50, "the socket took everything")
        for reply in replies { reply.cancel() }
        for reply in replies { await reply.value }
        publisher.kill(SIGCONT)
        subscriber.close()
    }

    @Test("large replies that wait to be read cost no descriptor each")
    func descriptors() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 12)
        let large = Reply.bytes([UInt8](repeating: 9, count: 100_000))
        let worker = try GroupWorker(channel, .queue(8)) { _, request in try request.answer(large) }
        let results = try publisher.results(of: "g")
        for _ in 0..<20 {
            let pending = try publisher.submit("g", try await publisher.nextSlot(timeout: .seconds(300)))
            try await eventually { publisher.statistics.groups.first?.answered == pending.frame }
        }
        #expect(Self.descriptors(of: "frameshare:reply") == 0)
        for _ in 0..<20 { #expect(try results.nextBlocking()?.answer.reply == large) }
        withExtendedLifetime(worker) {}
    }

    /// How many of this process's descriptors are memory of this name.
    private static func descriptors(of name: String) -> Int {
        guard let folder = opendir("/proc/self/fd") else { return -1 }
        defer { closedir(folder) }
        var (count, buffer) = (0, [CChar](repeating: 0, count: 512))
        while let entry = readdir(folder) {
            let number = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let length = readlink("/proc/self/fd/\(number)", &buffer, buffer.count)
            guard length > 0 else { continue }
            let target = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if target.hasPrefix("/memfd:\(name)") { count += 1 }
        }
        return count
    }
}
