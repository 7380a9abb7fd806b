#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import PixelFormats

/// All that may change from one picture of a file to the next, beside its pixels and its time.
struct PictureShape: Equatable {
    /// As decoded, before it is turned.
    let width: Int
    let height: Int
    let format: AVPixelFormat
    let colors: ColorSpace
    let orientation: PictureOrientation
    /// The file asks for a turn by an angle that is none of the right ones.
    let isOblique: Bool
    /// Width and height of a pixel when it is shown upright; nil: square, or unknown.
    let pixelAspect: PixelAspect?
    /// What a channel holds such pictures as.
    private let shown: ShownFormat

    struct PixelAspect: Equatable {
        let width: Int32
        let height: Int32
    }

    /// - Throws: for a picture that has no size, no known format, or no pixels that the CPU can read
    init(
        _ frame: UnsafePointer<AVFrame>,
        of input: UnsafeMutablePointer<AVFormatContext>,
        _ stream: UnsafeMutablePointer<AVStream>,
        _ av: UnsafePointer<fs_ffmpeg>
    ) throws(FFmpegFailure) {
        let format = AVPixelFormat(rawValue: frame.pointee.format)
        let (width, height) = (Int(frame.pointee.width), Int(frame.pointee.height))
        let sides = 1...ImageLayout.largestSide
        guard sides.contains(width), sides.contains(height) else {
            throw FFmpegFailure(text: "a picture of \(width)x\(height)")
        }
        guard let description = av.pointee.av_pix_fmt_desc_get(format),
            description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_HWACCEL) == 0, frame.pointee.data.0 != nil
        else { throw FFmpegFailure(text: "a picture without pixels") }
        (self.width, self.height, self.format) = (width, height, format)
        var colors = ColorSpace(ffmpeg: frame)
        // Those with a J are full range by their name.
        let full = [
            AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUVJ411P,
        ]
        if full.contains(format) { colors.range = .full }
        self.colors = colors

        var matrix = [Int32](repeating: 0, count: 9)
        let isTold = fs_display_matrix(av, stream, frame, &matrix) != 0
        let orientation = isTold ? PictureOrientation(displayMatrix: matrix) : .upright
        shown = ShownFormat(of: description, format, isTurned: orientation.map { $0 != .upright } ?? false)
        // All zeros: nothing is said.
        isOblique = orientation == nil && matrix.contains { $0 != 0 }
        self.orientation = orientation ?? .upright

        let aspect = av.pointee.av_guess_sample_aspect_ratio(input, stream, UnsafeMutablePointer(mutating: frame))
        if aspect.num > 0, aspect.den > 0, aspect.num != aspect.den {
            let isTransposed = self.orientation.isTransposed
            pixelAspect = PixelAspect(
                width: isTransposed ? aspect.den : aspect.num,
                height: isTransposed ? aspect.num : aspect.den
            )
        } else {
            pixelAspect = nil
        }
    }

    /// The width and height of the upright picture.
    var size: (width: Int, height: Int) { orientation.isTransposed ? (height, width) : (width, height) }

    /// What is worth knowing of such pictures, in words.
    var notes: [String] {
        var notes: [String] = []
        if orientation != .upright { notes.append("\(orientation.words), as the file says") }
        if isOblique { notes.append("the file asks for a turn that is no right angle: it is left out") }
        if let loss = shown.loss { notes.append(loss) }
        if let pixelAspect {
            notes.append(
                "pixels are not square, but \(pixelAspect.width):\(pixelAspect.height): see each frame's metadata SampleAspectRatio"
            )
        }
        return notes
    }

    /// How a channel holds such pictures: as they are where the format has an equal here and can be turned.
    func layout() throws(ImageLayoutError) -> ImageLayout {
        try .computed(width: size.width, height: size.height, format: shown.format, colorSpace: colors)
    }

    /// Whether each element of each plane stands for as many columns as rows.
    static func canBeTurned(_ format: PixelFormat) -> Bool {
        guard let info = format.info, !info.isCompressed else { return false }
        return info.planes.allSatisfy {
            $0.pixelsPerGroup == 1 && $0.horizontalSubsampling == $0.verticalSubsampling
        }
    }
}
#endif
