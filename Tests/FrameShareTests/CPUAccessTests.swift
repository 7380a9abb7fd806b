import Glibc
import Synchronization
import Testing

@testable import FrameShare

/// `DMA_BUF_IOCTL_SYNC` of one frame, as several threads touch it.
@Suite("Beginning the CPU's access", .timeLimit(.minutes(10)))
struct CPUAccessTests {
    /// A gate, with the word that it is laid over.
    private final class Gate: @unchecked Sendable {  // a pointer to one atomic, freed with the object
        private let word = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
        var gate: CPUAccessGate { CPUAccessGate(word) }
        init() { word.initialize(to: Atomic(0)) }
        deinit { word.deallocate() }
    }

    @Test("no thread passes before the first has begun, and it begins once")
    func waiting() async throws {
        for round in 0..<100 {
            let gate = Gate()
            let begun = Atomic(0)
            let isDone = Atomic(false)
            let threads = (0..<3).map { _ in
                OwnThread {
                    gate.gate.pass(stream: 2) {
                        begun.add(1, ordering: .relaxed)
                        usleep(useconds_t(round % 10 * 300))
                        isDone.store(true, ordering: .releasing)
                    }
                    return isDone.load(ordering: .acquiring)
                }
            }
            for thread in threads { #expect(try await thread.value, "a thread read before the access had begun") }
            #expect(begun.load(ordering: .relaxed) == 1)
            #expect(gate.gate.close() == 1 << 2)
        }
    }

    @Test("streams are begun and ended each by itself, and anew for the next frame")
    func streams() {
        let gate = Gate()
        for _ in 0..<2 {
            var begun: [Int] = []
            for stream in [7, 0, 7, 3, 0] { gate.gate.pass(stream: stream) { begun.append(stream) } }
            #expect(begun == [7, 0, 3])
            #expect(gate.gate.close() == 1 << 7 | 1 | 1 << 3)
            #expect(gate.gate.close() == 0)
        }
    }
}
