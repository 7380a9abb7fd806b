import CContestant
import FrameShare
import Glibc

/// FrameShare in the benchmark: `channel-bench publisher` and `channel-bench reader`. See `contestant.h` for what they do
/// and say.
@main
enum ChannelBench {
    static func main() {
        let run = UnsafeMutablePointer<contestant>.allocate(capacity: 1)
        defer { run.deallocate() }
        contestant_begin(run, CommandLine.argc, CommandLine.unsafeArgv)
        do {
            if run.pointee.is_publisher != 0 {
                try publish(run)
            } else if run.pointee.connects > 0 {
                try connectAgainAndAgain(run)
            } else {
                try read(run)
            }
        } catch {
            contestant_fail("channel-bench: \(error)", 0)
        }
    }
}

extension contestant {
    /// Paced frames are a camera's; unpaced ones may not be lost.
    private var isPaced: Bool { rate > 0 }

    var policy: Policy { isPaced ? .latest : .everyFrame }

    /// The budget that a reader asks for; nil: the policy's own.
    var budget: Int? { isPaced ? nil : Int(in_flight) }

    /// Who wants every frame reserves its budget; else the pool is as large as the floor's ring.
    var poolSize: Int { isPaced ? Int(slots) : max(Int(slots), 1 + Int(in_flight * readers)) }

    var channelName: String { String(cString: channel) }
    var directory: ChannelDirectory { ChannelDirectory(path: String(cString: folder)) }
}
