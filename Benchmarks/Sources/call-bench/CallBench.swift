import FrameShare
import Glibc

/// What publishing, and taking and releasing, cost in Swift, in one process in which nobody sleeps: `call-bench BATCHES`.
///
/// Frames are published in batches of 16 and then taken, so that reading the clock counts for little. The C and the
/// Python program in Peers/call-costs do the same. Prints a line of JSON.
@main
enum CallBench {
    static let batch = 16

    static func main() throws {
        guard CommandLine.arguments.count == 2, let batches = Int(CommandLine.arguments[1]), batches > 0 else {
            print("usage: call-bench BATCHES")
            exit(64)
        }
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: "/tmp/call-bench-\(getpid())")
        let layout = try ImageLayout.computed(width: 64, height: 64, format: .yuv420)
        let publisher = try Publisher(channel: "calls", streams: ["main": layout], slots: 40, options: options)
        var subscriberOptions = Subscriber.Options()
        subscriberOptions.directory = options.directory
        let subscriber = try Subscriber(channel: "calls", policy: .queue(batch), options: subscriberOptions)
        var (publishing, taking, sum): (Int64, Int64, Int) = (0, 0, 0)
        for round in 0..<(batches + batches / 10) {
            let began = now()
            for _ in 0..<batch {
                let slot = try publisher.nextSlotBlocking()
                slot["main"].withMutableBytes { $0.storeBytes(of: 1, as: UInt8.self) }
                try publisher.publish(slot)
            }
            let published = now()
            for _ in 0..<batch {
                if let frame = try subscriber.nextBlocking() { sum += first(frame) }
            }
            guard round >= batches / 10 else { continue }  // until all is warm
            publishing += published - began
            taking += now() - published
        }
        let frames = Double(batches * batch)
        let (publish, take) = (Double(publishing) / frames, Double(taking) / frames)
        print("{\"publish_ns\": \(publish), \"take_ns\": \(take), \"sum\": \(sum)}")
        publisher.close()
        rmdir("/tmp/call-bench-\(getpid())")
    }

    /// A function of its own: see hot-path's `read`.
    private static func first(_ frame: borrowing Frame) -> Int {
        frame["main"].bytes.withUnsafeBytes { Int($0.load(as: UInt8.self)) }
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
