public import PixelFormats

/// Writes images to a file descriptor as they are, one after the other, with nothing between them.
///
/// Compressed images are written as far as they are used, so MJPEG and H.264 give streams that players understand.
/// Nothing is allocated for a frame. For one thread at a time; the descriptor stays the caller's.
public struct RawWriter: ~Copyable {
    /// What becomes of the padding behind the rows.
    public enum Padding: Sendable, Hashable {
        /// Rows follow each other at once, as ffmpeg's `rawvideo` has them.
        case removed
        /// Planes are written whole, as the layout describes them.
        case kept
    }

    /// What becomes of the padding behind the rows.
    public let padding: Padding
    private var output: DescriptorOutput

    /// - Parameter descriptor: a file, pipe or socket, open for writing as long as this value lives.
    public init(descriptor: Int32, padding: Padding = .removed) {
        self.padding = padding
        output = DescriptorOutput(descriptor: descriptor)
    }

    /// Writes one image: its planes in the format's order.
    ///
    /// Layouts may differ from image to image; whoever reads has to know.
    /// - Parameters:
    ///   - bytes: the image's buffer, read only during the call.
    ///   - bytesUsed: of a compressed image, or one of an unknown format: how much of the first plane holds data;
    ///     `nil`: all of it.
    /// - Throws: ``SinkError/readerClosed`` when the other end of the pipe is gone,
    ///   ``SinkError/planeTooShort(plane:needed:given:)`` or ``SinkError/system(call:path:_:)``.
    public mutating func write(_ layout: ImageLayout, _ bytes: RawSpan, bytesUsed: Int? = nil) throws(SinkError) {
        try bytes.withUnsafeBytes { (bytes) throws(SinkError) in
            try write(ImagePlanes(layout, bytes: bytes)) { $0 == 0 ? bytesUsed : nil }
        }
    }

    mutating func write(_ planes: ImagePlanes, bytesUsed: (Int) -> Int?) throws(SinkError) {
        let layout = planes.layout
        for (index, plane) in layout.planes.enumerated() {
            if layout.rowBytes(plane: index) == nil {
                try output.append(planes.bytes(plane: index, count: min(bytesUsed(index) ?? plane.size, plane.size)))
            } else if padding == .kept {
                try output.append(planes.bytes(plane: index, count: plane.size))
            } else {
                try output.appendRows(of: index, planes)
            }
        }
        try output.flush()
    }
}
