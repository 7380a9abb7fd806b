import CFloor
import FrameShare
import Glibc

/// A reader: this program, started anew.
enum ReaderProcess {
    /// The first argument of a program that is a reader.
    static let argument = "--be-reader"

    // Descriptors that a reader inherits.
    private static let samples: Int32 = 3
    private static let page: Int32 = 4
    private static let ring: Int32 = 5
    private static let ownEvent: Int32 = 6
    private static let publisherEvent: Int32 = 7

    // MARK: the publisher's side

    /// A reader that was started.
    struct Child {
        let pid: pid_t
        let samples: SampleBoard

        /// Waits for its end.
        func finish() throws {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            guard status == 0 else { throw BenchError("a reader ended with status \(status)") }
        }

        func waitUntilReady() throws {
            let limit = floor_now() + 20_000_000_000
            while !samples.isReady {
                var status: Int32 = 0
                guard waitpid(pid, &status, WNOHANG) == 0 else { throw BenchError("a reader ended before it began") }
                guard floor_now() < limit else { throw BenchError("a reader is not ready after 20 s") }
                usleep(500)
            }
        }
    }

    /// Starts a reader. `inherited` are descriptors and the numbers that they get there.
    private static func start(
        _ arguments: [String],
        _ samples: SampleBoard,
        _ inherited: [(Int32, Int32)]
    ) throws -> Child {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // Through numbers that none of them has, so that none overwrites another.
        let all = [(samples.descriptor, Self.samples)] + inherited
        for (own, theirs) in all { posix_spawn_file_actions_adddup2(&actions, own, theirs + 100) }
        for (_, theirs) in all {
            posix_spawn_file_actions_adddup2(&actions, theirs + 100, theirs)
            posix_spawn_file_actions_addclose(&actions, theirs + 100)
        }
        var words: [UnsafeMutablePointer<CChar>?] = (["channel-bench", argument] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, try ownPath(), &actions, nil, words, environ)
        guard result == 0 else { throw BenchError("posix_spawn failed with errno \(result)") }
        return Child(pid: pid, samples: samples)
    }

    /// This program's file. Read, not used as the link it is: under a profiler the link is the profiler.
    private static func ownPath() throws -> String {
        var path = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &path, path.count - 1)
        guard length > 0 else { throw BenchError("/proc/self/exe: errno \(errno)") }
        return String(decoding: path.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func start(_ cell: Cell, channel: String, folder: String, samples: SampleBoard) throws -> Child {
        try start(["channel", folder, channel, cell.mode.rawValue], samples, [])
    }

    static func start(floor: Floor, reader: Int, samples: SampleBoard) throws -> Child {
        let side = floor.side
        return try start(
            ["floor", "\(side.kind)", "\(side.slots)", "\(side.size)", "\(reader)"],
            samples,
            [
                (floor.pageMemory, page), (floor.ringMemory, ring), (floor.events[reader], ownEvent),
                (side.publisher_event, publisherEvent),
            ]
        )
    }

    // MARK: the reader's side

    static func run(_ arguments: [String]) throws {
        // Nobody is to outlive a publisher that was killed.
        floor_die_with_parent()
        let board = try SampleBoard(adopting: samples)
        switch arguments.first {
        case "channel" where arguments.count == 4:
            guard let mode = Mode(rawValue: arguments[3]) else { throw BenchError("no mode \(arguments[3])") }
            try readChannel(arguments[2], in: arguments[1], mode, board)
        case "floor" where arguments.count == 5:
            let numbers = arguments.dropFirst().compactMap { UInt64($0) }
            guard numbers.count == 4 else { throw BenchError("bad arguments \(arguments)") }
            var side = floor_side()
            side.kind = UInt32(numbers[0])
            side.slots = UInt32(numbers[1])
            side.size = numbers[2]
            side.page = try map(page, floor_page_bytes(), PROT_READ | PROT_WRITE)
            side.ring = try map(ring, numbers[1] * numbers[2], PROT_READ).assumingMemoryBound(to: UInt8.self)
            let reader = UInt32(numbers[3])
            withUnsafeMutableBytes(of: &side.event) {
                $0.storeBytes(of: ownEvent, toByteOffset: 4 * Int(reader), as: Int32.self)
            }
            side.publisher_event = publisherEvent
            floor_read(&side, reader, board.samples)
        default: throw BenchError("bad arguments \(arguments)")
        }
    }

    private static func readChannel(_ channel: String, in folder: String, _ mode: Mode, _ board: SampleBoard) throws {
        var options = Subscriber.Options()
        options.directory = ChannelDirectory(path: folder)
        options.budget = mode.budget
        let subscriber = try Subscriber(channel: channel, policy: mode.policy, options: options)
        floor_set_ready(board.samples)
        while let frame = try subscriber.nextBlocking() {
            let latency = floor_now() - frame.timestamp.nanoseconds
            let number = frame["main"].bytes.unsafeLoad(as: Int64.self)
            floor_book(
                board.samples,
                latency,
                UInt32(truncatingIfNeeded: frame.lost.total),
                number == Int64(frame.number) ? 0 : 1
            )
        }
        floor_book_end(board.samples)
    }

    private static func map(_ descriptor: Int32, _ size: UInt64, _ protection: Int32) throws -> UnsafeMutableRawPointer
    {
        let address = mmap(nil, Int(size), protection, MAP_SHARED | floor_populate(), descriptor, 0)
        guard let address, address != MAP_FAILED else { throw BenchError("mmap of \(size) bytes: errno \(errno)") }
        return address
    }
}

extension Mode {
    /// The policy that a FrameShare reader asks for.
    var policy: Policy { self == .paced ? .latest : .everyFrame }

    /// Its budget; nil: the policy's own.
    var budget: Int? {
        switch self {
        case .paced: nil
        case .pingPong: 1
        case .lossless: Int(Floor.framesInFlight)
        }
    }
}
