internal import FrameSinks
internal import PixelFormats

/// Makes pixels that scalers read of those that they don't: Bayer and packed samples, rarer orders of YUV, chroma in pairs.
final class PixelUnpacker {
    private let scratch: ScratchPicture
    private let converter: RGBConverter?

    /// What a format becomes; nil where nothing is known of its pixels.
    static func format(of original: PixelFormat) -> PixelFormat? {
        if original == .nv16 || original == .nv61 { return .yuv422 }
        // The layout's sizes don't matter for that.
        guard let layout = try? ImageLayout.computed(width: 8, height: 8, format: original),
            let converter = RGBConverter(layout, deep: false)
        else { return nil }
        return converter.output.channels == 1 ? .r8 : .bgr888
    }

    init(_ layout: ImageLayout) throws(ConversionError) {
        guard let format = Self.format(of: layout.format) else { throw .unknown(layout.format) }
        converter = format == .yuv422 ? nil : RGBConverter(layout, deep: false)
        guard converter != nil || format == .yuv422 else { throw .unknown(layout.format) }
        let colors = format == .yuv422 ? layout.colorSpace : ConversionPlan.colors(of: layout, in: format)
        scratch = try ScratchPicture(layout.width, layout.height, format, colors)
    }

    func unpack(_ from: Picture) throws(ConversionError) -> Picture {
        let picture = scratch.picture
        guard let converter else {
            split(from, picture)
            return picture
        }
        var parts = ImagePlanes.Parts(repeating: UnsafeRawBufferPointer(start: nil, count: 0))
        for (index, plane) in from.layout.planes.enumerated() {
            parts[index] = UnsafeRawBufferPointer(start: from.planes[index], count: plane.size)
        }
        guard let target = picture.planes[0] else { return picture }
        do throws(SinkError) {
            converter.convert(try ImagePlanes(from.layout, parts), to: target, stride: picture.layout.planes[0].stride)
        } catch {
            throw .failed("\(error)")
        }
        return picture
    }

    /// Pairs of chroma, to a plane each.
    private func split(_ from: Picture, _ to: Picture) {
        guard let luma = from.planes[0], let pairs = from.planes[1], let y = to.planes[0], let u = to.planes[1],
            let v = to.planes[2]
        else { return }
        let (first, second) = from.layout.format == .nv61 ? (v, u) : (u, v)
        let (width, columns) = (from.layout.width, (from.layout.width + 1) / 2)
        // Invariant: the layouts were validated, so each plane has the rows and bytes that the format needs.
        for row in 0..<from.layout.height {
            (y + row * to.layout.planes[0].stride)
                .update(from: luma + row * from.layout.planes[0].stride, count: width)
            let source = pairs + row * from.layout.planes[1].stride
            let (a, b) = (first + row * to.layout.planes[1].stride, second + row * to.layout.planes[2].stride)
            for column in 0..<columns {
                a[column] = source[2 * column]
                b[column] = source[2 * column + 1]
            }
        }
    }
}
