import FrameShare
import FrameSources
import Glibc
import PixelFormats
import Synchronization
import Testing

@Suite("A source on demand", .timeLimit(.minutes(10)))
struct OnDemandTests {
    private final class Scene {
        let directory: ChannelDirectory
        let publisher: Publisher
        let pattern: TestPattern
        private let ended = Atomic(false)

        init(_ onDemand: OnDemand) throws {
            var template = Array("/tmp/fs-demand-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            directory = ChannelDirectory(path: String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self))
            var options = Publisher.Options()
            options.directory = directory
            let layout = try ImageLayout.computed(width: 64, height: 48, format: .yuv420)
            publisher = try Publisher(channel: "cam", streams: ["main": layout], slots: 4, options: options)
            pattern = try TestPattern(framesPerSecond: 100, onDemand: onDemand)
            try BackgroundThread.start(name: "fs-test") { [pattern, publisher] in
                try? pattern.run(on: publisher)
                publisher.close()
            }
        }

        deinit {
            pattern.stop()
            publisher.close()
            rmdir(directory.path)
        }

        func subscriber(_ configure: (inout Subscriber.Options) -> Void = { _ in }) throws -> Subscriber {
            var options = Subscriber.Options()
            options.directory = directory
            configure(&options)
            return try Subscriber(channel: "cam", policy: .queue(3), options: options)
        }

        func wait(for state: SourceState) async throws {
            while publisher.statistics.sourceState != state { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    @Test("nobody reads: it sleeps; the first reader starts it, and it sleeps again after the last one and the linger")
    func sleeps() async throws {
        let scene = try Scene(OnDemand(linger: .milliseconds(50)))
        try await scene.wait(for: .asleep)
        #expect(scene.publisher.statistics.published == 0)
        for _ in 0..<2 {
            let before = scene.publisher.statistics.published
            do {
                let reader = try scene.subscriber()
                guard let frame = try await reader.next() else { return #expect(Bool(false), "the channel has ended") }
                #expect(frame.flags.contains(.discontinuity), "it is the first of this start")
                #expect(scene.publisher.statistics.published > before)
            }
            try await scene.wait(for: .asleep)
        }
        let published = scene.publisher.statistics.published
        try await Task.sleep(for: .milliseconds(100))
        #expect(scene.publisher.statistics.published == published)
    }

    @Test("frames of the start-up go only to readers that ask for them")
    func warmUp() async throws {
        // Many: the publisher hears of the wish for them a moment after the hello.
        let scene = try Scene(OnDemand(linger: .seconds(600), warmUp: .frames(200)))
        let curious = try scene.subscriber { $0.startupFrames = true }
        guard let first = try await curious.next() else { return #expect(Bool(false), "the channel has ended") }
        #expect(first.flags.contains(.startup))
        let usual = try scene.subscriber()
        for _ in 0..<5 {
            guard let frame = try await usual.next() else { return #expect(Bool(false), "the channel has ended") }
            #expect(!frame.flags.contains(.startup))
            #expect(frame.sequence >= 200)
        }
    }

    @Test("readers that come and go all the time neither stop it nor start it anew")
    func flapping() async throws {
        let scene = try Scene(OnDemand(linger: .seconds(600)))
        var discontinuities = 0
        for _ in 0..<30 {
            let reader = try scene.subscriber()
            guard let frame = try await reader.next() else { return #expect(Bool(false), "the channel has ended") }
            if frame.flags.contains(.discontinuity) { discontinuities += 1 }
        }
        #expect(discontinuities <= 1)
        try await scene.wait(for: .lingering)
    }

    @Test("it ends when it has slept for long enough, and stopping ends a source that sleeps at once")
    func ends() async throws {
        let scene = try Scene(OnDemand(linger: .zero, idleLimit: .milliseconds(50)))
        while !scene.publisher.hasEnded { try await Task.sleep(for: .milliseconds(5)) }
        let other = try Scene(OnDemand())
        try await other.wait(for: .asleep)
        other.pattern.stop()
        while !other.publisher.hasEnded { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test("a reader that connects as the channel is about to end is served, or finds that there is none")
    func endsWithReaders() async throws {
        for turn in 0..<20 {
            let scene = try Scene(OnDemand(linger: .zero, idleLimit: .milliseconds(20)))
            try await Task.sleep(for: .milliseconds(15 + turn % 10))
            do throws(ChannelError) {
                var options = Subscriber.Options()
                options.directory = scene.directory
                let reader = try Subscriber(channel: "cam", options: options)
                let hasFrame = try await reader.next() != nil
                #expect(hasFrame, "it was let in, so it is served")
            } catch {
                switch error {
                case .noSuchChannel, .publisherLost: break
                default: Issue.record("\(error)")
                }
            }
        }
    }
}
