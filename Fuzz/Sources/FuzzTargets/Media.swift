#if FFmpeg
internal import Glibc

@testable import FrameShare
@testable import FrameSources

/// A file of anything, played as a source: opened, decoded, turned, converted, and published.
///
/// It ends with frames or an error: no crash, no read beyond a picture, no endless loop.
func fuzzMedia(_ bytes: UnsafeRawBufferPointer) { MediaBench.shared.play(media: bytes, sidecar: nil) }

/// A side-car of anything, beside a video that is whole.
func fuzzSidecars(_ bytes: UnsafeRawBufferPointer) {
    var video = Array("YUV4MPEG2 W16 H8 F25:1 Ip A1:1 C420jpeg\n".utf8)
    for frame in 0..<4 { video += Array("FRAME\n".utf8) + [UInt8](repeating: UInt8(frame), count: 16 * 8 * 3 / 2) }
    video.withUnsafeBytes { MediaBench.shared.play(media: $0, sidecar: bytes) }
}

/// A folder for the file, its side-car, and the channel.
private struct MediaBench {
    static let shared = MediaBench()
    private let folder: String

    private init() {
        var name = Array("/tmp/fuzz-media-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { preconditionFailure("no folder: \(String(cString: strerror(errno)))") }
        folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func play(media: UnsafeRawBufferPointer, sidecar: UnsafeRawBufferPointer?) {
        let path = folder + "/media"
        write(media, to: path)
        if let sidecar { write(sidecar, to: path + ".jsonl") }
        var options = VideoFile.Options()
        (options.speed, options.loops, options.frameCount, options.mostPixels) = (0, true, 12, 1 << 20)
        guard let file = try? VideoFile(path: path, options: options) else { return }
        var publishing = Publisher.Options()
        publishing.directory = ChannelDirectory(path: folder)
        guard
            let publisher = try? Publisher(
                channel: "fuzz",
                streams: ["main": file.layout],
                slots: 2,
                options: publishing
            )
        else { return }
        try? file.run(on: publisher)
        publisher.close()
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to path: String) {
        guard let file = fopen(path, "w") else { preconditionFailure("\(path): \(String(cString: strerror(errno)))") }
        fwrite(bytes.baseAddress, 1, bytes.count, file)
        fclose(file)
    }
}
#endif
