#if FFmpeg
import Foundation
import FrameShare
import Glibc
import PixelFormats
import Testing

@testable import FrameSources

/// A header may claim any size: what it claims takes no memory.
@Suite("Sizes that video files claim", .timeLimit(.minutes(10)))
struct VideoFileSizeTests {
    /// Puts a size of 16 or 32 bits into a file.
    private static func put(_ value: Int, _ bits: Int, at place: Int, in bytes: inout [UInt8], bigEndian: Bool) {
        for byte in 0..<(bits / 8) {
            let shift = 8 * (bigEndian ? bits / 8 - 1 - byte : byte)
            bytes[place + byte] = UInt8(truncatingIfNeeded: value >> shift)
        }
    }

    /// As PNG's chunks have it at their end.
    private static func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }

    /// Small files of every kind that has its size in a header, and where that is.
    private static let kinds: [(file: String, arguments: [String])] = [
        ("a.png", ["-frames:v", "1"]), ("a.jpg", ["-frames:v", "1", "-pix_fmt", "yuvj420p"]), ("a.gif", []),
        ("a.bmp", ["-frames:v", "1"]), ("a.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv420p"]),
        ("a.avi", ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"]), ("a.y4m", ["-pix_fmt", "yuv420p"]),
    ]

    private static func claim(_ side: Int, _ name: String, _ folder: MediaFolder) throws -> String {
        var bytes = try folder.bytes(name)
        func place(_ mark: [UInt8]) throws -> Int { try #require(bytes.firstRange(of: mark)).lowerBound }
        switch name {
        case "a.png":
            put(side, 32, at: 16, in: &bytes, bigEndian: true)
            put(side, 32, at: 20, in: &bytes, bigEndian: true)
            put(Int(crc(bytes[12..<29])), 32, at: 29, in: &bytes, bigEndian: true)
        case "a.jpg":
            let frame = try place([0xFF, 0xC0])
            put(side, 16, at: frame + 5, in: &bytes, bigEndian: true)
            put(side, 16, at: frame + 7, in: &bytes, bigEndian: true)
        case "a.gif":
            put(side, 16, at: 6, in: &bytes, bigEndian: false)
            put(side, 16, at: 8, in: &bytes, bigEndian: false)
        case "a.bmp":
            put(side, 32, at: 18, in: &bytes, bigEndian: false)
            put(side, 32, at: 22, in: &bytes, bigEndian: false)
        case "a.mp4":
            let entry = try place(Array("avc1".utf8) + [0, 0, 0, 0, 0, 0, 0, 1])
            put(side, 16, at: entry + 28, in: &bytes, bigEndian: true)
            put(side, 16, at: entry + 30, in: &bytes, bigEndian: true)
        case "a.avi":
            let format = try place(Array("strf".utf8))
            put(side, 32, at: format + 12, in: &bytes, bigEndian: false)
            put(side, 32, at: format + 16, in: &bytes, bigEndian: false)
        default:
            let (old, new) = (Array("W32 H24".utf8), Array("W\(side) H\(side)".utf8))
            bytes.replaceSubrange(try #require(bytes.firstRange(of: old)), with: new)
        }
        return try folder.write(bytes, to: "large" + name.dropFirst(1))
    }

    private static func make(_ folder: MediaFolder) throws {
        for (file, arguments) in kinds {
            try folder.ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=32x24:r=25:d=0.12"] + arguments + [file])
        }
    }

    @Test("sizes beyond reason are refused at opening, with the arithmetic, and take no memory")
    func refused() throws {
        let folder = try MediaFolder()
        try Self.make(folder)
        for (name, _) in Self.kinds {
            let path = try Self.claim(60000, name, folder)
            // Another test of this process may take memory meanwhile, but not so much as such a picture.
            let before = Self.peak()
            do throws(VideoFileError) {
                let file = try VideoFile(path: path)
                // The pictures are what the data says, not what the container's header claims.
                #expect(file.layout.width == 32 && file.layout.height == 24, "\(name): \(file.layout)")
            } catch {
                #expect("\(error)".contains("60000x60000"), "\(name): \(error)")
                #expect("\(error)".contains("3600000000 pixels"), "\(name): \(error)")
            }
            #expect(Self.peak() - before < 3_000_000_000, "\(name)")
        }
    }

    @Test("the limit holds at opening, and for pictures that come later, which are gone over")
    func limited() throws {
        let folder = try MediaFolder()
        try Self.make(folder)
        var options = VideoFile.Options.fast
        // Decoders round sides up.
        options.mostPixels = 256 * 256
        for (name, _) in Self.kinds {
            #expect(throws: Never.self, "\(name)") { try VideoFile(path: folder.file(name), options: options) }
        }
        options.mostPixels = 32 * 24 - 1
        for (name, _) in Self.kinds {
            let error = #expect(throws: VideoFileError.self, "\(name)") {
                try VideoFile(path: folder.file(name), options: options)
            }
            #expect("\(String(describing: error))".contains("767"), "\(name): \(String(describing: error))")
        }
        let large = try Self.claim(60000, "a.png", folder)
        try folder.join(["a.png", "a.png", String(large.split(separator: "/").last ?? ""), "a.png"], to: "all.pngs")
        try folder.ffmpeg(["-f", "image2pipe", "-c:v", "png", "-i", "all.pngs", "-c", "copy", "all.mov"])
        let played = try PlayedFile(folder.file("all.mov"))
        #expect(played.error == nil && played.frames.count == 3)
        #expect(played.events.contains { "\($0)".contains("3600000000 pixels") }, "\(played.events)")
    }

    /// The most memory that this process has had, in bytes.
    private static func peak() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}
#endif
