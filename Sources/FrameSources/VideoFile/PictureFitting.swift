#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import FrameShare
internal import Glibc
internal import PixelFormats

/// Copies decoded pictures, whatever they are, into slots of one layout: converted where they differ, and upright.
final class PictureFitting {
    let layout: ImageLayout
    private let av: UnsafePointer<fs_ffmpeg>
    /// What the converter was made for; nil: pictures are copied as they are.
    private var prepared: PictureShape?
    private var converter: PictureConverter?

    init(layout: ImageLayout, _ av: UnsafePointer<fs_ffmpeg>) { (self.layout, self.av) = (layout, av) }

    /// Whether pictures of a shape can be brought into the layout without losing what matters: their size, or colour.
    func holds(_ shape: PictureShape) -> Bool {
        guard shape.size == (layout.width, layout.height),
            shape.orientation == .upright || PictureShape.canBeTurned(layout.format)
        else { return false }
        guard layout.format.info?.colorModel == .grey, let own = try? shape.layout() else { return true }
        return own.format.info?.colorModel == .grey
            && own.format.info?.bitDepth ?? 0 <= layout.format.info?.bitDepth ?? 0
    }

    /// Copies a picture's pixels into the slot's image.
    /// - Throws: for a picture that can't be converted; the slot's pixels then are what they were
    func copy(
        _ frame: UnsafeMutablePointer<AVFrame>,
        _ shape: PictureShape,
        into slot: borrowing WritableSlot
    ) throws(FFmpegFailure) {
        if prepared != shape { try prepare(for: shape) }
        let source = try converter?.convert(frame) ?? frame
        let planes = try planes(source)
        _ = slot.image(at: 0)?.withUnsafeMutableBytes { room in
            for (plane, place) in zip(planes, layout.planes) { write(plane, to: room, place, shape.orientation) }
        }
    }

    /// Makes the converter for pictures of a shape.
    /// - Throws: where there is none
    func prepare(for shape: PictureShape) throws(FFmpegFailure) {
        guard let target = layout.format.ffmpeg, !target.swapsChroma, holds(shape) else {
            throw FFmpegFailure(text: "pictures can't be converted to \(layout.format)")
        }
        (prepared, converter) = (nil, nil)
        let isSame = PixelFormat(ffmpeg: shape.format) == layout.format && meansTheSame(shape.colors)
        if !isSame {
            converter = try PictureConverter(
                width: shape.width,
                height: shape.height,
                from: (shape.format, shape.colors),
                to: (target.format, layout.colorSpace),
                av
            )
        }
        prepared = shape
    }

    /// Whether samples mean what the channel says of them.
    private func meansTheSame(_ colors: ColorSpace) -> Bool {
        if layout.format.info?.colorModel == .rgb { return true }
        let (own, others) = (layout.colorSpace, colors)
        return (own.range == .full) == (others.range == .full) && own.hasSameMatrix(as: others)
    }

    /// One plane of a picture that has the layout's format, and how many bytes of each row are real.
    private struct Plane {
        let start: UnsafeRawPointer
        let stride: Int
        let realBytes: Int
        /// As many as the layout has it before it is turned.
        let rowBytes: Int
        let rows: Int
        /// Of an element that is turned as a whole.
        let size: Int
    }

    /// Invariant: libavcodec and libavutil give each plane `rows` rows of at least `realBytes`, at the strides that they tell.
    private func planes(_ frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegFailure) -> [Plane] {
        let format = AVPixelFormat(rawValue: frame.pointee.format)
        let starts = [frame.pointee.data.0, frame.pointee.data.1, frame.pointee.data.2]
        let strides = [frame.pointee.linesize.0, frame.pointee.linesize.1, frame.pointee.linesize.2]
        var planes: [Plane] = []
        for (index, info) in (layout.format.info?.planes ?? []).enumerated() {
            guard index < starts.count, let start = starts[index],
                let rowBytes = info.rowBytes(width: Int(frame.pointee.width)),
                let rows = info.rows(height: Int(frame.pointee.height))
            else { throw FFmpegFailure(text: "a picture without plane \(index)") }
            let told = av.pointee.av_image_get_linesize(format, frame.pointee.width, Int32(index))
            let realBytes = min(rowBytes, Int(told))
            guard realBytes > 0, abs(Int(strides[index])) >= realBytes || rows == 1 else {
                throw FFmpegFailure(text: "a picture whose rows overlap")
            }
            planes.append(
                Plane(
                    start: UnsafeRawPointer(start),
                    stride: Int(strides[index]),
                    realBytes: realBytes,
                    rowBytes: rowBytes,
                    rows: rows,
                    size: info.bytesPerGroup
                )
            )
        }
        return planes
    }

    private func write(
        _ plane: Plane,
        to room: UnsafeMutableRawBufferPointer,
        _ place: PlaneLayout,
        _ orientation: PictureOrientation
    ) {
        guard let base = room.baseAddress else { return }
        if orientation == .upright {
            for row in 0..<plane.rows {
                let target = base + place.offset + row * place.stride
                memcpy(target, plane.start + row * plane.stride, plane.realBytes)
                // The half of a pair that a row of odd width has no pixel for.
                if plane.realBytes < plane.rowBytes {
                    memset(target + plane.realBytes, 0, plane.rowBytes - plane.realBytes)
                }
            }
            return
        }
        orientation.copy(
            .init(
                start: plane.start,
                stride: plane.stride,
                columns: plane.realBytes / plane.size,
                rows: plane.rows,
                size: plane.size
            ),
            to: base + place.offset,
            stride: place.stride
        )
    }
}
#endif
