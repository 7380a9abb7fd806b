// Holds the last three frames, and says how much the picture has changed from the first to the third.
//
//   swift run --package-path Examples HoldFrames [CHANNEL]

import FrameShare
import Glibc

@main
enum HoldFrames {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("HoldFrames: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        var options = Subscriber.Options()
        // Three frames are held, and one more waits.
        options.budget = 4
        let camera = try Subscriber(channel: channel, policy: .queue(1), options: options)

        // A Frame can't be copied, so an array can't hold it. A HeldFrame can be stored anywhere.
        var held: [HeldFrame] = []
        for _ in 0..<30 {
            // The oldest frame's lease ends here, before the next frame is taken.
            if held.count == 3 { held.removeFirst() }
            guard let frame = try camera.nextBlocking(timeout: .seconds(10)) else { break }
            held.append(HeldFrame(frame))
        }
        guard let first = held.first, let last = held.last else { return }
        let changed = first.withFrame { old in last.withFrame { new in changedPixels(old, new) } }
        print("frames \(held.map(\.number)): \(changed) pixels have changed")
    }

    static func changedPixels(_ old: borrowing Frame, _ new: borrowing Frame) -> Int {
        let (a, b) = (old["main"].rows(), new["main"].rows())
        var changed = 0
        for y in 0..<min(a.count, b.count) {
            let (rowA, rowB) = (a[y], b[y])
            for x in rowA.indices where rowA[x] != rowB[x] { changed += 1 }
        }
        return changed
    }
}
