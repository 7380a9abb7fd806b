import ArgumentParser
import CHandOver
import FrameCommand
import FrameJSON
import FrameShare
import Glibc

/// A reader of `frameshare bench`, for the ways that are not FrameShare. Started by it alone.
struct BenchReader: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bench-reader", shouldDisplay: false)

    @Option var way: UInt32
    @Option var reader: Int32
    @Option var publisher: Int32
    @Option var size: UInt64
    @Option var touch: BenchTouch

    func validate() throws {
        guard way <= HAND_OVER_DESCRIPTOR.rawValue else {
            throw ValidationError("--way: at most \(HAND_OVER_DESCRIPTOR.rawValue)")
        }
        guard (0..<HAND_OVER_MAX_READERS).contains(reader) else {
            throw ValidationError("--reader: below \(HAND_OVER_MAX_READERS)")
        }
        guard publisher > 0 else { throw ValidationError("--publisher: a process, from 1 up") }
        guard (16...1_000_000_000).contains(size) else { throw ValidationError("--size: 16 to 1000000000 bytes") }
    }

    func run() throws {
        guard let attached = hand_over_attach(hand_over_way(way), reader, publisher, size) else {
            throw CommandFailure("a reader can't attach: \(String(cString: strerror(errno)))")
        }
        defer { hand_over_detach(attached) }
        var report = ContestantReport(
            side: "subscriber",
            channel: "",
            frames: 0,
            lost: 0,
            latency: LatencyHistogram(),
            cpu: 0,
            wall: 0
        )
        var (began, cpu, last): (Int64, Int64, Int64) = (0, 0, 0)
        var sum: UInt64 = 0
        while let frame = hand_over_next(attached) {
            let now = ProcessUsage.now
            // Invariant: a frame has `size` bytes and is valid until the next call.
            let bytes = RawSpan(_unsafeStart: frame, byteCount: Int(size))
            let (number, stamp) = BenchHeader.read(bytes)
            if touch == .all { sum &+= BenchHeader.sum(bytes) }
            guard number >= BenchPublishing.warmUp else { continue }
            if report.frames == 0 { (began, cpu) = (now, ProcessUsage.cpuNow) }
            report.frames += 1
            report.latency.record(nanoseconds: now.subtractingClamped(stamp))
            last = now
        }
        guard errno == 0 else { throw CommandFailure("a reader failed: \(String(cString: strerror(errno)))") }
        (report.cpu, report.wall) = (ProcessUsage.cpuNow - cpu, last - began)
        report.usage = .current
        report.more = [.init(key: "touched_sum", value: .number(sum))]
        Terminal.output.writeLine(report.json.text)
    }
}
