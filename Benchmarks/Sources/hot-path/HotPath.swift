import CAllocationCount
import FrameShare
import Glibc

/// A frame's way, over and over in one process, for counting rather than timing: `hot-path CASE FRAMES`.
///
/// Prints the heap allocations that the frames made. The instructions are for a simulator to count: those of a run of
/// 2n frames less those of n are n frames', whatever starting costs. Nobody sleeps, so nothing depends on scheduling.
@main
enum HotPath {
    enum Case: String, CaseIterable {
        /// Published to nobody.
        case publish
        /// Published to one subscriber that never takes: each frame withdraws the one before.
        case withdraw
        /// Published, taken and released by 1 subscriber, or by each of 8.
        case frame1 = "frame-1"
        case frame8 = "frame-8"
        /// As `frame-1`, with what libcamera says of a frame, three entries of which are read.
        case metadata
        /// As `frame-1`, to a reader that sleeps until each frame comes: for its lines, not to be counted otherwise.
        case paced1 = "paced-1"

        var subscribers: Int {
            switch self {
            case .publish: 0
            case .withdraw, .frame1, .metadata, .paced1: 1
            case .frame8: 8
            }
        }
    }

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let chosen = Case(rawValue: arguments[1]), let frames = Int(arguments[2]),
            (1...10_000_000).contains(frames)
        else {
            print("usage: hot-path \(Case.allCases.map(\.rawValue).joined(separator: "|")) FRAMES")
            exit(64)
        }
        let way = try FrameWay(chosen)
        try way.pass(frames: 64)  // pages touched, buffers grown
        print("mark \(String(frame_mark_address(), radix: 16)) \(String(readers_mark_address(), radix: 16))")
        fflush(nil)  // before what follows, for a program that reads both
        let before = allocation_count()
        try way.pass(frames: frames)
        print("allocations \(allocation_count() - before)")
    }
}
