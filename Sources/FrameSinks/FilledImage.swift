import FrameShare
import PixelFormats

/// A copy of an image that holds less than its layout needs, with zeros for what is missing: the bytes that lie there are
/// an earlier frame's.
struct FilledImage {
    /// The planes in one buffer, back to back.
    let layout: ImageLayout
    let bytes: [UInt8]

    /// Nil for an image whose planes are all there, and for compressed and unknown formats, which are taken as far as they
    /// are used.
    init?(_ image: borrowing Image) {
        var layout = image.layout
        guard layout.rowBytes(plane: 0) != nil, image.shortage != nil else { return nil }
        var bytes: [UInt8] = []
        for index in layout.planes.indices {
            let size = layout.planes[index].size
            layout.planes[index].offset = bytes.count
            layout.planes[index].buffer = 0
            let plane = image.plane(index)
            let used = plane.extracting(first: min(image.bytesUsed(plane: index), plane.byteCount))
            used.withUnsafeBytes { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: repeatElement(0, count: size - used.byteCount))
        }
        (self.layout, self.bytes) = (layout, bytes)
    }
}
