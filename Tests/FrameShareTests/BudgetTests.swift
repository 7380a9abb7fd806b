import FrameShare
import Logging
import Synchronization
import Testing

/// A program that holds all the frames that it may hold is told why it gets no more.
@Suite("A budget that is used up", .timeLimit(.minutes(10)))
struct BudgetTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private struct Collector: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) { lines.all.withLock { $0.append("\(event.message)") } }
    }

    private final class Held: Sendable {
        let frame: Frame
        init(_ frame: consuming Frame) { self.frame = frame }
    }

    @Test("a wait without a time limit says once what is held, and goes on")
    func endless() async throws {
        let lines = Lines()
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(1)) {
            $0.budget = 2
            $0.logger = Logger(label: "test") { _ in Collector(lines: lines) }
        }
        #expect(subscriber.statistics.budget == 2)
        for _ in 0..<2 {
            var held: [Held] = []
            for value in 1...2 {
                try publisher.send(UInt8(value))
                held.append(Held(try present(try subscriber.nextBlocking(timeout: .seconds(60)))))
            }
            #expect(subscriber.statistics.held == 2)
            // With a time limit it is the error that says so.
            #expect(throws: ChannelError.noFrame(held: 2)) {
                try subscriber.nextValueBlocking(timeout: .milliseconds(1))
            }
            let waiting = OwnThread { try subscriber.nextValueBlocking() }
            try await eventually { lines.all.withLock { !$0.isEmpty } }
            withExtendedLifetime(held) {}
            held = []
            try await eventually {
                if waiting.result == nil { _ = try publisher.trySend(3) }
                return waiting.result != nil
            }
            #expect(try await waiting.value == 3)
        }
        let said = lines.all.withLock { $0 }
        #expect(said.count == 1)
        #expect(said.first?.contains("you hold 2 of 2 frames") ?? false, "\(said)")
    }
}
