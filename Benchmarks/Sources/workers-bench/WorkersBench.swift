import FrameShare
import Glibc
import Synchronization

/// The round trip of a frame to a worker process that does nothing, and of its answer back: `workers-bench WORKERS BYTES
/// SECONDS`, with so many bytes of metadata to each frame. As many frames are out as there are workers.
///
/// Prints one line of JSON, as `Peers/queue-workers` does.
@main
enum WorkersBench {
    static func main() async throws {
        let arguments = CommandLine.arguments
        if arguments.count == 3, arguments[1] == "work" { return try work(ChannelDirectory(path: arguments[2])) }
        guard arguments.count == 4, let workers = Int(arguments[1]), let bytes = Int(arguments[2]),
            let seconds = Double(arguments[3]), workers > 0, bytes >= 0
        else {
            print("usage: workers-bench WORKERS BYTES SECONDS")
            exit(64)
        }
        try await ask(workers: workers, metadataBytes: bytes, seconds: seconds)
    }

    private static func work(_ directory: ChannelDirectory) throws {
        var options = Subscriber.Options()
        options.directory = directory
        options.group = "workers"
        let subscriber = try Subscriber(channel: "bench", policy: .queue(1), options: options)
        var sum = 0
        while let frame = try subscriber.nextBlocking() {
            if case .bytes(let bytes)? = frame.metadata["Statistics"] { sum &+= bytes.count }
            sum &+= Int(frame["main"].bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self))
            try frame.request?.answer(.bytes([UInt8(truncatingIfNeeded: sum)]))
        }
    }

    private static func ask(workers: Int, metadataBytes: Int, seconds: Double) async throws {
        var template = Array("/tmp/workers-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChannelError.noDirectory }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder)
        let layout = try ImageLayout.computed(width: 1280, height: 720, format: .r8)
        let publisher = try Publisher(
            channel: "bench",
            streams: ["main": layout],
            slots: 2 * workers + 2,
            options: options
        )
        let children = try (0..<workers).map { _ in try start(folder) }
        defer {
            publisher.close()
            for child in children { waitpid(child, nil, 0) }
            for file in ["bench.sock", "bench.sock.lock"] { unlink(folder + "/" + file) }
            rmdir(folder)
        }
        while publisher.statistics.subscribers.count < workers { usleep(1000) }

        var metadata = Metadata()
        if metadataBytes > 0 { metadata["Statistics"] = .bytes(Array(repeating: 7, count: metadataBytes)) }
        _ = try await loops(publisher, metadata, workers, until: .now().advanced(by: 0.2))
        let (began, cpu) = (FrameTimestamp.now(), cpuTime())
        let times = try await loops(publisher, metadata, workers, until: began.advanced(by: seconds)).sorted()
        let wall = FrameTimestamp.now().nanoseconds - began.nanoseconds
        print(
            "{\"workers\": \(workers), \"bytes\": \(metadataBytes), \"answers\": \(times.count),"
                + " \"p50_ns\": \(times[times.count / 2]), \"p99_ns\": \(times[times.count * 99 / 100]),"
                + " \"cpu_ns\": \((cpuTime() - cpu) / Int64(times.count)), \"wall_ns\": \(wall)}"
        )
    }

    /// As many askers as there are workers, each with one frame out at a time.
    private static func loops(
        _ publisher: Publisher,
        _ metadata: Metadata,
        _ count: Int,
        until end: FrameTimestamp
    ) async throws -> [Int64] {
        try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<count {
                group.addTask {
                    var times: [Int64] = []
                    while true {
                        let slot = try await publisher.nextSlot(timeout: .seconds(10))
                        let began = FrameTimestamp.now()
                        guard began < end else { return times }
                        _ = try await publisher.ask("workers", slot, metadata: metadata)
                        times.append(FrameTimestamp.now().nanoseconds - began.nanoseconds)
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private static func start(_ folder: String) throws -> pid_t {
        let words = ["workers-bench", "work", folder]
        let arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        let result = posix_spawn(&child, "/proc/self/exe", nil, nil, arguments, environ)
        guard result == 0 else { throw ChannelError.system(call: "posix_spawn", .init(rawValue: result)) }
        return child
    }

    private static func cpuTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension FrameTimestamp {
    func advanced(by seconds: Double) -> FrameTimestamp {
        FrameTimestamp(nanoseconds: nanoseconds + Int64(seconds * 1e9), clock: clock)
    }
}
