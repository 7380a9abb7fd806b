import CommandTesting
import Foundation
import Glibc
import Testing

/// A USB camera that is plugged in: `usb-camera`, see Tests/Guest/usb-camera.c.
final class USBCamera {
    private static var program: URL { get throws { try #require(CommandRun.installed("usb-camera")) } }

    private let run: CommandRun
    /// `/dev/videoN`
    let path: String

    /// Plugs it in, and waits for its driver.
    /// - Parameter rate: frames a second; nil: the size's own. It drops none, but is late when it can't keep it
    init(rate: Int? = nil, folder: ChannelFolder) throws {
        let run = try CommandRun(rate.map { ["-r", "\($0)"] } ?? [], of: Self.program, in: folder)
        try Guest.wait("the USB camera has its driver") {
            try Guest.checkRuns(run)
            return run.outputSoFar.hasSuffix("\n")
        }
        path = run.outputSoFar.trimmingCharacters(in: .whitespacesAndNewlines)
        self.run = run
    }

    /// Pulls it out, if it is in; its device is gone afterwards.
    func unplug() {
        if run.isRunning { run.send(SIGTERM) }
        _ = run.wait()
    }

    /// What `usb-camera verify` finds of raw frames.
    struct Verdict {
        var isRight: Bool
        var text: String
        var frames: Int
        var missing: Int
    }

    /// Compares raw frames with the formula by which the camera makes them, byte by byte.
    static func verify(_ frames: URL, size: String, folder: ChannelFolder) throws -> Verdict {
        let outcome = try CommandRun(["verify", size], of: program, in: folder, inputFile: frames).wait()
        // "5 frames, every byte right; numbers 88 to 96, 4 missing, 0 out of order"
        let numbers = outcome.output.split { !$0.isNumber }.compactMap { Int($0) }
        return Verdict(
            isRight: outcome.code == 0,
            text: outcome.output + outcome.errors,
            frames: numbers.first ?? 0,
            missing: numbers.count > 3 ? numbers[3] : 0
        )
    }
}
