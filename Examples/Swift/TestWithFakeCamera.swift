// Tests a program's own frame loop with a camera that does what the test says.
//
//   swift run --package-path Examples TestWithFakeCamera

import FrameShare
import FrameShareTestKit
import Glibc

@main
enum TestWithFakeCamera {
    static func main() async {
        do {
            try await run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("TestWithFakeCamera: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) async throws {
        // No channel of this machine: the fake camera has a folder of its own.
        let fake = try FakeCamera()
        let recorder = FrameRecorder(try fake.subscribe(policy: .queue(2)))
        try await fake.send()
        fake.drop(2)
        try await fake.send(flags: .discontinuity)
        let frames = try await recorder.frames(atLeast: 2)
        print("sequence numbers \(frames.map(\.sequence)), lost by the source \(frames[1].lost.source)")
        fake.end()
        print("the recorder says: \(try await recorder.end())")
    }
}
