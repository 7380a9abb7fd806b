#if FFmpeg
import Foundation
import FrameShare
import FrameSources
import PixelFormats
import Synchronization
import Testing

/// What a subscriber that wants every frame saw of a file that was played.
struct PlayedFile {
    struct Seen {
        let layout: ImageLayout
        let sequence: UInt64
        let timestamp: Int64
        let flags: FrameFlags
        let generation: UInt32
        let aspect: MetadataValue?
        let bytes: [UInt8]

        /// The mean of a plane of one byte a sample.
        func mean(_ plane: Int) -> Int {
            guard let rows = layout.rows(plane: plane), let count = layout.rowBytes(plane: plane) else { return -1 }
            let place = layout.planes[plane]
            let sum = (0..<rows).reduce(0) { sum, row in
                let start = place.offset + row * place.stride
                return sum + bytes[start..<start + count].reduce(0) { $0 + Int($1) }
            }
            return sum / (rows * count)
        }
    }

    var frames: [Seen] = []
    var events: [VideoFile.Event] = []
    var error: VideoFileError?
    var lost: UInt64 = 0
    var notes: [String] = []

    /// Plays a file to its end, or until so many frames have come.
    init(_ path: String, _ options: VideoFile.Options = .fast, atMost most: Int = 2000) throws {
        let file = try VideoFile(path: path, options: options)
        notes = file.notes
        let folder = NSTemporaryDirectory() + "fs-" + String(UUID().uuidString.prefix(8))
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var publishing = Publisher.Options()
        publishing.stallLimit = nil
        publishing.directory = ChannelDirectory(path: folder)
        let publisher = try Publisher(channel: "file", streams: ["main": file.layout], slots: 4, options: publishing)
        var subscribing = Subscriber.Options()
        subscribing.directory = publishing.directory
        let subscriber = try Subscriber(channel: "file", policy: .everyFrame, options: subscribing)
        let player = Player(file, publisher)
        while frames.count < most, let frame = try subscriber.nextBlocking(timeout: .seconds(120)) {
            guard let image = frame.image(at: 0) else { continue }
            frames.append(
                Seen(
                    layout: image.layout,
                    sequence: frame.sequence,
                    timestamp: frame.timestamp.nanoseconds,
                    flags: frame.flags,
                    generation: frame.generation,
                    aspect: frame.metadata["SampleAspectRatio"],
                    bytes: image.withBytes { bytes in
                        bytes.withUnsafeBytes { Array($0.prefix(image.layout.bufferSize(0))) }
                    }
                )
            )
        }
        file.stop()
        publisher.close()
        player.finished.wait()
        (error, events) = player.result.withLock { ($0.error, $0.events) }
        lost = publisher.statistics.lostBySource
    }
}

extension VideoFile.Options {
    /// As fast as frames are taken.
    static let fast: VideoFile.Options = {
        var options = VideoFile.Options()
        options.speed = 0
        return options
    }()
}

/// Plays on a thread of its own.
private final class Player: Sendable {
    let finished = DispatchSemaphore(value: 0)
    let result = Mutex<(error: VideoFileError?, events: [VideoFile.Event])>((nil, []))

    init(_ file: VideoFile, _ publisher: Publisher) {
        Thread.detachNewThread { [self] in
            do throws(VideoFileError) {
                try file.run(on: publisher) { [self] event in result.withLock { $0.events.append(event) } }
            } catch {
                result.withLock { $0.error = error }
            }
            publisher.close()
            finished.signal()
        }
    }
}
#endif
