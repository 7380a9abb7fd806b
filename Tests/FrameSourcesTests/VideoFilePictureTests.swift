#if FFmpeg
import Foundation
import FrameShare
import PixelFormats
import Testing

@testable import FrameSources

/// Nothing that is true of a file's first picture has to be true of its next.
@Suite("Pictures of video files", .timeLimit(.minutes(10)))
struct VideoFilePictureTests {
    /// Of one colour: whatever the format, the same samples must come out.
    private static let color = "color=c=0x30A060:s=66x50:r=25:d=0.2"
    private static let fullRange = [
        "-vf", "scale=out_range=full:out_color_matrix=bt709", "-color_range", "pc", "-colorspace", "bt709",
    ]

    @Test("pictures of another format, depth, range or matrix are converted to the channel's")
    func conversion() throws {
        let folder = try MediaFolder()
        let parts: [(name: String, arguments: [String])] = [
            ("a.h264", ["-vf", "scale=out_color_matrix=bt601", "-colorspace", "smpte170m", "-pix_fmt", "yuv420p"]),
            ("b.h264", ["-vf", "scale=out_color_matrix=bt601", "-colorspace", "smpte170m", "-pix_fmt", "yuv444p"]),
            ("c.h264", Self.fullRange + ["-pix_fmt", "yuv420p"]),
            ("d.h264", ["-vf", "scale=out_color_matrix=bt601", "-colorspace", "smpte170m", "-pix_fmt", "yuv420p10le"]),
            ("e.h264", Self.fullRange + ["-pix_fmt", "yuv422p"]),
        ]
        for part in parts {
            try folder.ffmpeg(
                ["-f", "lavfi", "-i", Self.color] + part.arguments + ["-c:v", "libx264", "-qp", "1", part.name]
            )
        }
        for order in [[0, 1, 2, 3, 4], [1, 0, 4, 2, 3], [2, 3, 1, 0, 4]] {
            try folder.join(order.map { parts[$0].name }, to: "all.h264")
            let played = try PlayedFile(folder.file("all.h264"))
            #expect(played.error == nil && played.frames.count == 25)
            let first = try #require(played.frames.first)
            for (index, frame) in played.frames.enumerated() {
                #expect(frame.layout == first.layout)
                for plane in 0..<3 {
                    let difference = abs(frame.mean(plane) - first.mean(plane))
                    #expect(difference <= 3, "order \(order), frame \(index), plane \(plane)")
                }
            }
        }
    }

    @Test("JPEG pictures that change their subsampling in one AVI show what they are")
    func subsampling() throws {
        let folder = try MediaFolder()
        try folder.make("a.mjpeg", Self.color, "-pix_fmt", "yuvj444p", "-q:v", "2")
        try folder.make("b.mjpeg", Self.color, "-pix_fmt", "yuvj420p", "-q:v", "2")
        try folder.make("c.mjpeg", Self.color, "-pix_fmt", "yuvj422p", "-q:v", "2")
        for order in [["a", "b", "c"], ["b", "a"], ["c", "b", "a"]] {
            try folder.join(order.map { $0 + ".mjpeg" }, to: "all.mjpeg")
            try folder.ffmpeg(["-f", "mjpeg", "-i", "all.mjpeg", "-c", "copy", "all.avi"])
            let played = try PlayedFile(folder.file("all.avi"))
            #expect(played.error == nil && played.frames.count == order.count * 5)
            let first = try #require(played.frames.first)
            for frame in played.frames {
                #expect(frame.layout == first.layout)
                for plane in 0..<3 { #expect(abs(frame.mean(plane) - first.mean(plane)) <= 2) }
            }
        }
    }

    @Test("a file that turns from grey to colour gets a channel in colour, and keeps it")
    func greyToColour() throws {
        let folder = try MediaFolder()
        try folder.make(
            "grey.avi",
            "color=c=white:s=64x48:r=25:d=0.2",
            "-pix_fmt",
            "gray",
            "-c:v",
            "png",
            "-f",
            "image2pipe"
        )
        try folder.make("color.avi", Self.color, "-pix_fmt", "rgb24", "-c:v", "png", "-s", "64x48", "-f", "image2pipe")
        try folder.join(["grey.avi", "color.avi", "grey.avi"], to: "all.pngs")
        try folder.ffmpeg(["-f", "image2pipe", "-c:v", "png", "-i", "all.pngs", "-c", "copy", "all.mov"])
        let played = try PlayedFile(folder.file("all.mov"))
        #expect(played.error == nil && played.frames.count == 15)
        #expect(
            played.frames.prefix(5).allSatisfy { $0.layout.format == .r8 && $0.generation == 1 && $0.mean(0) == 255 }
        )
        let colored = played.frames.dropFirst(5)
        #expect(colored.allSatisfy { $0.layout.format == .bgr888 && $0.generation == 2 })
        #expect(
            colored.prefix(5).allSatisfy { frame in
                zip(frame.bytes, [0x30, 0xA0, 0x60]).allSatisfy { abs(Int($0) - $1) <= 3 }
            }
        )
        #expect(colored.suffix(5).allSatisfy { $0.bytes.allSatisfy { $0 >= 254 } })
    }

    @Test("pictures of another size begin another generation, over and over")
    func sizes() throws {
        let folder = try MediaFolder()
        try folder.make("small.mjpeg", "color=c=0x30A060:s=32x24:r=25:d=0.2", "-pix_fmt", "yuvj420p")
        try folder.make("large.mjpeg", "color=c=0x30A060:s=98x70:r=25:d=0.2", "-pix_fmt", "yuvj420p")
        try folder.join(["small.mjpeg", "large.mjpeg"], to: "all.mjpeg")
        var options = VideoFile.Options.fast
        options.loops = true
        let played = try PlayedFile(folder.file("all.mjpeg"), options, atMost: 40)
        #expect(played.error == nil && played.frames.count == 40)
        for (index, frame) in played.frames.enumerated() {
            let isLarge = index / 5 % 2 == 1
            #expect(frame.layout.width == (isLarge ? 98 : 32) && frame.layout.height == (isLarge ? 70 : 24))
            #expect(frame.generation == UInt32(index / 5 + 1) && frame.sequence == UInt64(index))
            for plane in 0..<3 { #expect(abs(frame.mean(plane) - played.frames[0].mean(plane)) <= 2) }
        }
    }

    @Test("pictures are turned and mirrored as the file says, in all eight ways")
    func orientations() throws {
        let folder = try MediaFolder()
        try folder.make("upright.mp4", "testsrc2=s=70x46:r=25:d=0.08", "-pix_fmt", "yuv420p", "-c:v", "libx264")
        let upright = try #require(try PlayedFile(folder.file("upright.mp4")).frames.first)
        for (a, b, c, d) in [
            (1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1),
            (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0),
        ] as [(Int32, Int32, Int32, Int32)] {
            try folder.turn("upright.mp4", a, b, c, d, to: "turned.mp4")
            let played = try PlayedFile(folder.file("turned.mp4"))
            let frame = try #require(played.frames.first)
            #expect(played.notes.isEmpty == (a == 1 && d == 1))
            let isTransposed = a == 0
            #expect(frame.layout.width == (isTransposed ? 46 : 70) && frame.layout.height == (isTransposed ? 70 : 46))
            for plane in 0..<3 {
                let (width, height) = (plane == 0 ? 70 : 35, plane == 0 ? 46 : 23)
                let (from, to) = (upright.layout.planes[plane], frame.layout.planes[plane])
                var wrong = 0
                // As libavutil/display.h defines it: a point comes to (a p + c q, b p + d q).
                for q in 0..<height {
                    for p in 0..<width {
                        let x = a != 0 ? (a > 0 ? p : width - 1 - p) : (c > 0 ? q : height - 1 - q)
                        let y = d != 0 ? (d > 0 ? q : height - 1 - q) : (b > 0 ? p : width - 1 - p)
                        let (old, new) = (from.offset + q * from.stride + p, to.offset + y * to.stride + x)
                        if upright.bytes[old] != frame.bytes[new] { wrong += 1 }
                    }
                }
                #expect(wrong == 0, "matrix \(a) \(b) \(c) \(d), plane \(plane)")
            }
        }
    }

    @Test(
        "pictures of every format stand as ffmpeg turns them",
        arguments: [
            ("libx264", "yuv444p", "yuv444p"), ("libx264", "yuv422p", "yuv444p"), ("libx264", "yuv420p10le", "yuv420p"),
            ("png", "rgb24", "rgb24"), ("png", "gray", "gray"), ("png", "rgba", "rgba"), ("png", "rgb48be", "rgb48le"),
        ]
    )
    func turnedFormats(codec: String, format: String, shown: String) throws {
        let folder = try MediaFolder()
        try folder.make("a.mp4", "testsrc2=s=72x48:r=25:d=0.08", "-pix_fmt", format, "-c:v", codec)
        for (b, c) in [(1, -1), (-1, 1)] as [(Int32, Int32)] {
            try folder.turn("a.mp4", 0, b, c, 0, to: "b.mp4")
            let flags = ["-sws_flags", "bilinear+accurate_rnd"]
            let expected = try folder.ffmpeg(["-i", "b.mp4"] + flags + ["-pix_fmt", shown, "-f", "rawvideo", "-"])
            let played = try PlayedFile(folder.file("b.mp4"))
            let bytes = played.frames.flatMap(\.bytes)
            #expect(played.frames.count == 2 && played.frames[0].layout.width == 48)
            try #require(bytes.count == expected.count)
            // Where the chroma is halved, what is done first makes a difference.
            let tolerance = format == shown ? 0 : 40
            #expect(zip(bytes, expected).allSatisfy { abs(Int($0) - Int($1)) <= tolerance })
        }
    }

    @Test("pixels that are not square are told in each frame's metadata, upright")
    func aspect() throws {
        let folder = try MediaFolder()
        try folder.make("wide.mkv", "testsrc2=s=64x48:r=25:d=0.2,setsar=4/3", "-c:v", "libx264")
        let played = try PlayedFile(folder.file("wide.mkv"))
        #expect(played.frames.count == 5 && played.frames.allSatisfy { $0.aspect == .int32s([4, 3]) })
        #expect(played.notes.contains { $0.contains("4:3") })
    }

    @Test("a picture's crop is applied to the pixel, at the left and the top too")
    func crop() throws {
        let folder = try MediaFolder()
        try folder.make("a.h264", "testsrc2=s=128x96:r=25:d=0.04", "-pix_fmt", "yuv420p", "-c:v", "libx264")
        try folder.ffmpeg([
            "-i", "a.h264", "-c", "copy", "-bsf:v", "h264_metadata=crop_left=6:crop_top=10:crop_right=4:crop_bottom=2",
            "b.h264",
        ])
        let whole = try #require(try PlayedFile(folder.file("a.h264")).frames.first)
        let frame = try #require(try PlayedFile(folder.file("b.h264")).frames.first)
        #expect(frame.layout.width == 118 && frame.layout.height == 84)
        for row in 0..<84 {
            let (from, to) = ((row + 10) * 128 + 6, row * 118)
            #expect(Array(whole.bytes[from..<from + 118]) == Array(frame.bytes[to..<to + 118]), "row \(row)")
        }
    }

    @Test("an edit list is kept: what it leaves out is not shown")
    func editList() throws {
        let folder = try MediaFolder()
        try folder.make("a.mp4", "testsrc2=s=64x48:r=25:d=2", "-c:v", "libx264", "-g", "50", "-pix_fmt", "yuv420p")
        try folder.ffmpeg(["-ss", "0.8", "-i", "a.mp4", "-c", "copy", "b.mp4"])
        let count = try folder.pictureCount("b.mp4")
        #expect(count < 40)
        #expect(try PlayedFile(folder.file("b.mp4")).frames.count == count)
    }
}
#endif
