// Counts frames until Ctrl-C, SIGTERM, or the channel's end. In each case it closes in order and says how it went.
//
//   swift run --package-path Examples StopInOrder [CHANNEL]

import Dispatch
import FrameShare
import Glibc

@main
enum StopInOrder {
    static func main() async {
        let channel = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example"
        let counting = Task { await countFrames(of: channel) }
        // The signals no longer end the process. They cancel the task, which ends its wait for a frame.
        let signals = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            // Sendable: a thread of Dispatch's calls it, not the main actor.
            source.setEventHandler { @Sendable in counting.cancel() }
            source.resume()
            return source
        }
        let code = await counting.value
        for source in signals { source.cancel() }
        exit(code)
    }

    /// - Returns: the program's exit code
    static func countFrames(of channel: String) async -> Int32 {
        var frames = 0
        do throws(ChannelError) {
            let camera = try Subscriber(channel: channel)
            defer { camera.close() }
            while let frame = try await camera.next() {
                frames += 1
                if frames == 1 { print("the first frame has number \(frame.number)") }
            }
            print("the channel has ended after \(frames) frames")
        } catch .cancelled {
            print("stopped after \(frames) frames")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("StopInOrder: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            return 1
        }
        return 0
    }
}
