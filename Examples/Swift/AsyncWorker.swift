// Works on two frames at a time, each in a task of its own that holds its frame until it is done.
//
//   swift run --package-path Examples AsyncWorker [CHANNEL]

import FrameShare
import Glibc

@main
enum AsyncWorker {
    static func main() async {
        do {
            try await run()
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("AsyncWorker: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run() async throws {
        let channel = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example"
        var options = Subscriber.Options()
        options.name = "worker"
        // One frame waits while two are worked on: three slots of the pool at most are ever this program's.
        options.budget = 3
        let camera = try Subscriber(channel: channel, policy: .queue(1), options: options)

        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            var (running, total) = (0, 0)
            while let frame = try await camera.next(timeout: .seconds(5)) {
                if running == 2, let done = try await group.next() {
                    total += done
                    running -= 1
                }
                // The frame moves into the task, and its lease ends there.
                group.addTask { [frame = consume frame] in try await work(on: frame) }
                running += 1
            }
            for try await done in group { total += done }
            return total
        }
        print("\(total) frames worked on, \(camera.statistics.lost.policy) passed over")
    }

    /// Something slow: a detector, say.
    static func work(on frame: borrowing Frame) async throws -> Int {
        let brightness = average(frame["main"].rows())
        try await Task.sleep(for: .milliseconds(50))
        if frame.sequence % 30 == 0 { print("frame \(frame.sequence): brightness \(brightness)") }
        return 1
    }

    static func average(_ rows: PlaneRows) -> Int {
        var sum = 0
        for y in 0..<rows.count {
            let row = rows[y]
            for x in row.indices { sum += Int(row[x]) }
        }
        return sum / max(1, rows.count * rows.rowBytes)
    }
}
