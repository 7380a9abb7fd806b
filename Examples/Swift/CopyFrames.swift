// Copies a part of each frame into another channel, so that slow readers hold no frame of the camera.
//
//   swift run --package-path Examples CopyFrames [CHANNEL]

import FrameShare
import Glibc

@main
enum CopyFrames {
    static func main() {
        do {
            try run(channel: CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "example")
        } catch {
            // The text says what failed and what to do about it.
            let line = Array("CopyFrames: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    static func run(channel: String) throws {
        var options = CopyStage.Options()
        options.streams = ["main"]
        options.crops = ["main": Crop(x: 320, y: 0, width: 320, height: 240)]
        options.capacity = .slots(60)
        // The stage may be started before the camera.
        options.subscriber.waitForChannel = .seconds(60)
        let stage = try CopyStage(of: channel, options: options)
        let copies = try stage.open(as: channel + "-copy")
        print("\(channel)-copy takes \(stage.plan.byteCount) bytes for \(stage.plan.slots) frames")
        // Copies until the camera's channel ends. Readers of the copies have the originals' sequence, times and metadata.
        try stage.run(on: copies)
        copies.close()
        print("\(stage.statistics.copied) frames copied, \(stage.statistics.noRoom) left out for want of room")
    }
}
