import FrameCommand
import FrameJSON
import FrameShare
import Glibc

/// Reads a benchmark's frames until its channel ends.
struct BenchReading {
    var channel: String
    var policy: Policy
    var touch: BenchTouch
    var spins: Bool
    /// How long the channel may take to appear.
    var patience: Duration

    func run(_ stop: StopRequest) throws -> ContestantReport {
        var options = Subscriber.Options()
        options.name = "bench"
        options.wait = spins ? .spin : .sleep
        if policy == .everyFrame { options.budget = BenchPublishing.readerBudget }
        let subscriber = try connect(options, stop)
        stop.whenStopped { subscriber.interrupt() }
        var report = ContestantReport(
            side: "subscriber",
            channel: channel,
            frames: 0,
            lost: 0,
            latency: LatencyHistogram(),
            cpu: 0,
            wall: 0
        )
        var (began, cpu, last): (Int64, Int64, Int64) = (0, 0, 0)
        var due = Int64(BenchPublishing.warmUp)
        var sum: UInt64 = 0
        var outOfPlace: UInt64 = 0
        while let frame = try next(subscriber, stop) {
            let now = ProcessUsage.now
            guard let image = frame.image("main") else {
                throw CommandFailure("the channel '\(channel)' has no stream 'main': no bench-publisher made it")
            }
            let (number, stamp) = BenchHeader.read(image.bytes)
            if touch == .all { sum &+= BenchHeader.sum(image.bytes) }
            guard number >= BenchPublishing.warmUp else { continue }
            if report.frames == 0 { (began, cpu) = (now, ProcessUsage.cpuNow) }
            report.frames += 1
            // Of those that are counted. It was there before the first of all, so what it missed by then is lost too.
            // The channel may be another's, whose frames begin with any numbers.
            report.lost = report.lost.addingClamped(UInt64(max(0, number - due)))
            due = number.addingClamped(1)
            report.latency.record(nanoseconds: now.subtractingClamped(stamp))
            // The stamp is also the frame's timestamp, which does not lie in the pixels.
            if stamp != frame.timestamp.nanoseconds { outOfPlace += 1 }
            last = now
        }
        // To the last frame: the end of the channel is no part of any.
        (report.cpu, report.wall) = (ProcessUsage.cpuNow - cpu, last - began)
        report.usage = .current
        report.more = [
            .init(key: "policy", value: .string("\(policy)")), .init(key: "torn", value: .number(outOfPlace)),
            .init(key: "touched_sum", value: .number(sum)),
        ]
        subscriber.close()
        return report
    }

    /// Nil once it is stopped, too. An interruption between two waits is seen by the look at `stop`.
    private func next(_ subscriber: Subscriber, _ stop: StopRequest) throws -> Frame? {
        while !stop.isStopped {
            do throws(ChannelError) {
                return try subscriber.nextBlocking(timeout: .milliseconds(250))
            } catch {
                guard error.isTimeout || error == .cancelled else { throw error }
            }
        }
        return nil
    }

    /// The channel may not be there yet: either side may be started first.
    private func connect(_ options: Subscriber.Options, _ stop: StopRequest) throws -> Subscriber {
        let limit = ProcessUsage.now + patience.nanoseconds
        while true {
            do throws(ChannelError) {
                return try Subscriber(channel: channel, policy: policy, options: options)
            } catch {
                guard case .noSuchChannel = error, ProcessUsage.now < limit else { throw error }
            }
            guard stop.sleep(nanoseconds: 5_000_000) else { throw InterruptedByUser() }
        }
    }
}
