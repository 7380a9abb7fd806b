internal import FrameShare
internal import FrameWorkers
internal import Glibc

/// A worker for tests. It does what the pixels of its frame say, and answers with what it read there: 64-bit words, of which
/// the first is the frame's number and the second what to do.
///
/// `TEST_WORKER_DELAY`: works for up to so many microseconds on each frame, at random. `TEST_WORKER_START`: ends with this
/// exit code before it has joined.
@main
struct TestWorker: FrameWorker {
    static var configuration: WorkerConfiguration { WorkerConfiguration(group: "tested") }

    private let delay: UInt32

    init() async throws {
        if let code = Self.number("TEST_WORKER_START") { exit(Int32(code)) }
        delay = UInt32(Self.number("TEST_WORKER_DELAY") ?? 0)
    }

    func handle(_ frame: borrowing Frame, _ request: FrameRequest) async throws -> Reply {
        let number = Self.word(0, of: frame)
        if delay > 0 { usleep(UInt32.random(in: 0...delay)) }
        switch Self.word(1, of: frame) {
        case 1: kill(getpid(), SIGKILL)
        case 2: try await Task.sleep(for: .seconds(3600))
        case 3: throw Refusal(number: number)
        case 4: return .bytes(Array(repeating: UInt8(truncatingIfNeeded: number), count: 1_000_000))
        case 5: for step in Int32(1)...3 { try await request.progress(["step": .int32(step)]) }
        case 6: usleep(200_000)
        default: break
        }
        // Read last: had the slot been rewritten meanwhile, it would be another's.
        return ["number": .int64(Int64(bitPattern: Self.word(0, of: frame))), "pid": .int32(getpid())]
    }

    private struct Refusal: Error, CustomStringConvertible {
        let number: UInt64
        var description: String { "frame \(number) is not to my taste" }
    }

    private static func word(_ index: Int, of frame: borrowing Frame) -> UInt64 {
        frame["main"].bytes.unsafeLoad(fromByteOffset: 8 * index, as: UInt64.self)
    }

    private static func number(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }
}
