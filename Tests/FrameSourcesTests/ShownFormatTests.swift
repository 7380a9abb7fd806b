#if FFmpeg
import CFFmpeg
import FFmpegBridge
import Foundation
import FrameShare
import PixelFormats
import Testing

@testable import FrameSources

/// What a channel makes of each pixel format that a decoder of FFmpeg's may give.
@Suite("Formats of video files", .timeLimit(.minutes(10)))
struct ShownFormatTests {
    /// FFmpeg's names by the format that they are shown as; a star: bits or transparency are lost, which is said.
    private static let table: [(shown: PixelFormat, names: String)] = [
        (.yuv420, "yuv420p yuvj420p yuv410p yuva420p* p010le* p010be* p016le* p016be*"),
        (
            .yuv420,
            "yuv420p9le* yuv420p10le* yuv420p10be* yuv420p12le* yuv420p14le* yuv420p16le* yuva420p10le* yuva420p16be*"
        ),
        (.yuv422, "yuv422p yuvj422p yuv411p yuvj411p uyyvyy411 yuva422p* p210le* p216le* y210le* nv20le*"),
        (.yuv422, "yuv422p9be* yuv422p10le* yuv422p12le* yuv422p14be* yuv422p16le* yuva422p12le*"),
        (.yuv444, "yuv444p yuvj444p yuv440p yuvj440p yuva444p* yuv440p10le* yuv440p12be* p410le* p416be* ayuv64le*"),
        (.yuv444, "yuv444p9le* yuv444p10le* yuv444p12be* yuv444p16le* yuva444p16le*"),
        (.nv12, "nv12"), (.nv21, "nv21"), (.nv16, "nv16"), (.nv24, "nv24"), (.nv42, "nv42"),
        (.yuyv, "yuyv422"), (.uyvy, "uyvy422"), (.yvyu, "yvyu422"),
        (.rgb888, "bgr24"),
        (.bgr888, "rgb24 gbrp rgb8 bgr8 rgb4_byte bgr4_byte rgb4 rgb555le bgr555be rgb444le bgr565le"),
        (.rgb565, "rgb565le"), (.rgb565BigEndian, "rgb565be"),
        (.abgr8888, "rgba gbrap pal8"), (.argb8888, "bgra"), (.rgba8888, "abgr"), (.bgra8888, "argb"),
        (.xrgb8888, "bgr0"), (.xbgr8888, "rgb0"), (.rgbx8888, "0bgr"), (.bgrx8888, "0rgb"),
        (.bgr161616, "rgb48le rgb48be bgr48be gbrp9le gbrp10le gbrp12be gbrp14le gbrp16le x2rgb10le x2bgr10le xyz12le"),
        (.bgr161616, "rgba64le* bgra64be* gbrap10le* gbrap12be* gbrap16le* gbrpf32le* gbrapf32be*"),
        (.rgb161616, "bgr48le"),
        (.r8, "gray monow monob ya8*"), (.r10, "gray10le"), (.r12, "gray12le"),
        (.r16, "gray16le gray16be gray10be gray12be"),
        (.r16, "gray9le gray9be gray14le gray14be ya16le* ya16be* grayf32le*"),
    ]

    /// FFmpeg's number, name and description of each format with pixels in memory.
    private static func all(
        _ av: UnsafePointer<fs_ffmpeg>
    ) -> [(AVPixelFormat, String, UnsafePointer<AVPixFmtDescriptor>)] {
        (0..<AV_PIX_FMT_NB.rawValue).compactMap { number in
            let format = AVPixelFormat(rawValue: number)
            guard let description = av.pointee.av_pix_fmt_desc_get(format),
                description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_HWACCEL) == 0
            else { return nil }
            return (format, String(cString: description.pointee.name), description)
        }
    }

    @Test("each is shown as the table says, and what is lost is said")
    func table() throws {
        let all = Self.all(try FFmpegLibrary.functions())
        for (shown, names) in Self.table {
            for word in names.split(separator: " ") {
                let name = String(word.filter { $0 != "*" })
                guard let (format, _, description) = all.first(where: { $0.1 == name }) else {
                    Issue.record("FFmpeg knows no \(name)")
                    continue
                }
                let made = ShownFormat(of: description, format, isTurned: false)
                #expect(made.format == shown, "\(name)")
                #expect((made.loss != nil) == word.hasSuffix("*"), "\(name): \(made.loss ?? "nothing is lost")")
            }
        }
    }

    @Test("none loses colour or its halves without a word, upright or turned")
    func nothingLost() throws {
        let av = try FFmpegLibrary.functions()
        for (format, name, description) in Self.all(av) {
            for isTurned in [false, true] {
                let shown = ShownFormat(of: description, format, isTurned: isTurned)
                let info = try #require(shown.format.info)
                if isTurned { #expect(PictureShape.canBeTurned(shown.format), "\(name)") }
                let isGrey =
                    description.pointee.nb_components < 3
                    && description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_PAL) == 0
                // swscale makes colours of a mosaic.
                let isMosaic = description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_BAYER) != 0
                #expect((info.colorModel == .grey) == (isGrey && !isMosaic), "\(name)")
                guard info.colorModel == .yuv, info.planes.count > 1 else { continue }
                let (across, down) = (info.planes[1].horizontalSubsampling, info.planes[1].verticalSubsampling)
                #expect(across <= 1 << description.pointee.log2_chroma_w, "\(name)")
                #expect(down <= 1 << description.pointee.log2_chroma_h, "\(name)")
            }
        }
    }

    /// One picture of each, which ffmpeg made and converts; a NUT file holds them.
    @Test("pictures are as ffmpeg converts them")
    func pixels() throws {
        let folder = try MediaFolder()
        let av = try FFmpegLibrary.functions()
        // NUT has no name for the others, and gives them back as something else.
        let unnamed: Set<String> = [
            "yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p", "yuvj411p", "ya16be", "ya16le", "yuv440p10le",
            "yuv440p10be",
            "yuv440p12le", "yuv440p12be", "ayuv64le", "p010le", "p010be", "p016le", "p016be", "gbrpf32be", "gbrpf32le",
            "gbrapf32be", "gbrapf32le", "grayf32be", "grayf32le", "nv24", "nv42", "x2rgb10le", "x2bgr10le", "p210be",
            "p210le",
            "p410be", "p410le", "p216be", "p216le", "p416be", "p416le",
        ]
        let formats = Self.all(av).filter {
            av.pointee.sws_isSupportedInput($0.0) > 0 && av.pointee.sws_isSupportedOutput($0.0) > 0
                && !unnamed.contains($0.1)
        }
        #expect(formats.count > 100)
        let flags = ["-sws_flags", "bilinear+accurate_rnd"]
        try folder.ffmpeg(
            ["-f", "lavfi", "-i", "testsrc2=s=48x32:r=25:d=0.04"]
                + formats.flatMap { flags + ["-pix_fmt", $0.1, "-c:v", "rawvideo", "-f", "nut", "\($0.1).nut"] }
        )
        var (inputs, outputs, played): ([String], [String], [(String, PlayedFile.Seen)]) = ([], [], [])
        for (_, name, _) in formats {
            let file = try PlayedFile(folder.file("\(name).nut"))
            guard let frame = file.frames.first, let shown = frame.layout.format.ffmpeg,
                let description = av.pointee.av_pix_fmt_desc_get(shown.format)
            else {
                Issue.record("\(name) shows nothing: \(file.events)")
                continue
            }
            inputs += ["-i", "\(name).nut"]
            let target = String(cString: description.pointee.name)
            outputs += ["-map", "\(played.count)"] + flags + ["-pix_fmt", target, "-f", "rawvideo", "\(name).raw"]
            played.append((name, frame))
        }
        try folder.ffmpeg(inputs + outputs)
        for (name, frame) in played {
            let expected = try folder.bytes("\(name).raw")
            try #require(frame.bytes.count >= expected.count, "\(name)")
            let isDeep = frame.layout.format.info?.bitDepth ?? 8 > 8
            // Of two bytes, the upper one counts.
            let worst = zip(frame.bytes, expected).enumerated().reduce(0) { worst, pair in
                isDeep && pair.offset % 2 == 0 ? worst : max(worst, abs(Int(pair.element.0) - Int(pair.element.1)))
            }
            // Chroma that is made finer may lie a little otherwise, where sixteen pixels have one.
            #expect(worst <= (name == "yuv410p" ? 4 : 2), "\(name) as \(frame.layout.format)")
        }
    }

    @Test("what swscale can't read is refused at opening, by name")
    func unreadable() throws {
        let folder = try MediaFolder()
        try folder.write((0..<(48 * 32 * 3 / 2)).map { UInt8(truncatingIfNeeded: $0 &* 31) }, to: "noise.raw")
        try folder.ffmpeg([
            "-f", "rawvideo", "-s", "48x32", "-pix_fmt", "uyyvyy411", "-i", "noise.raw", "-c", "copy", "a.nut",
        ])
        let error = #expect(throws: VideoFileError.self) { try VideoFile(path: folder.file("a.nut")) }
        let words = error.map { "\($0)" } ?? ""
        #expect(words.contains("swscale can't convert uyyvyy411 to yuv422p"), "\(words)")
    }
}
#endif
