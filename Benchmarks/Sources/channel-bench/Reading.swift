import CContestant
import FrameShare

extension ChannelBench {
    private static func connect(_ arguments: contestant) throws -> Subscriber {
        var options = Subscriber.Options()
        options.directory = arguments.directory
        options.budget = arguments.budget
        options.wait = arguments.spin != 0 ? .spin : .sleep
        return try Subscriber(channel: arguments.channelName, policy: arguments.policy, options: options)
    }

    /// A function of its own: a `let frame` whose images are borrowed in the same scope gets a heap box (Swift 6.3).
    private static func isLast(_ frame: borrowing Frame, _ run: UnsafeMutablePointer<contestant>) -> Bool {
        frame["main"].bytes.withUnsafeBytes { contestant_received(run, $0.baseAddress) } == 0
    }

    static func read(_ run: UnsafeMutablePointer<contestant>) throws {
        contestant_connecting(run)
        let subscriber = try connect(run.pointee)
        contestant_connected(run)
        while let frame = try subscriber.nextBlocking() {
            if isLast(frame, run) { break }
        }
        contestant_reader_end(run)
    }

    static func connectAgainAndAgain(_ run: UnsafeMutablePointer<contestant>) throws {
        for _ in 0..<run.pointee.connects {
            contestant_connecting(run)
            let subscriber = try connect(run.pointee)
            contestant_connected(run)
            guard let frame = try subscriber.nextBlocking(timeout: .seconds(5)) else { break }
            frame["main"].bytes.withUnsafeBytes { contestant_received_first(run, $0.baseAddress) }
        }
        contestant_reader_end(run)
    }
}
