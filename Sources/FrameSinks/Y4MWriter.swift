public import PixelFormats

/// Writes images to a file descriptor as a YUV4MPEG2 stream (`.y4m`), which ffmpeg, mpv and most encoders read.
///
/// All 8-bit YUV formats are written as the planar format they hold (4:2:0, 4:2:2 or 4:4:4), grey ones as `mono` with
/// their depth; padding behind rows is left out. Packed and semi-planar images are taken apart into memory that is
/// allocated once; nothing is allocated for a frame.
///
/// For one thread at a time. The descriptor stays the caller's and blocks, or not, as the caller set it: either way
/// ``write(_:_:)`` returns when all is written.
public struct Y4MWriter: ~Copyable {
    /// The layout that all images of the stream have.
    public let layout: ImageLayout
    private var output: DescriptorOutput
    private let samples: YUVSamples?
    /// Room for the components that don't lie on their own in memory.
    private let planar: UnsafeMutableBufferPointer<UInt8>
    private static let frameLine: StaticString = "FRAME\n"

    /// Writes the header.
    /// - Parameters:
    ///   - descriptor: a file, pipe or socket, open for writing as long as this value lives.
    ///   - layout: of all images to come.
    ///   - framesPerSecond: what players take for the rate; 0: unknown.
    /// - Throws: ``SinkError/unsupportedFormat(_:sink:advice:)`` for RGB, Bayer and compressed formats, or what
    ///   ``write(_:_:)`` throws.
    public init(descriptor: Int32, layout: ImageLayout, framesPerSecond: Double = 30) throws(SinkError) {
        do {
            try layout.validate()
        } catch {
            throw .layout(error)
        }
        let header = try Y4MHeader(layout, framesPerSecond: framesPerSecond)
        var output = DescriptorOutput(descriptor: descriptor)
        try output.writeNow(Array(header.text.utf8).span.bytes)
        self.output = output
        self.layout = layout
        samples = YUVSamples(layout.format)
        planar = .allocate(capacity: samples.map { Self.scattered($0, layout) } ?? 0)
    }

    deinit {
        planar.deallocate()
    }

    /// Writes one image.
    /// - Parameter bytes: the image's buffer, read only during the call.
    /// - Throws: ``SinkError/readerClosed`` when the other end of the pipe is gone,
    ///   ``SinkError/layoutChanged(from:to:)``, ``SinkError/planeTooShort(plane:needed:given:)`` or
    ///   ``SinkError/system(call:path:_:)``.
    public mutating func write(_ layout: ImageLayout, _ bytes: RawSpan) throws(SinkError) {
        try bytes.withUnsafeBytes { (bytes) throws(SinkError) in
            try write(ImagePlanes(layout, bytes: bytes))
        }
    }

    mutating func write(_ planes: ImagePlanes) throws(SinkError) {
        guard planes.layout.hasSamePixels(as: layout) else {
            throw .layoutChanged(from: layout, to: planes.layout)
        }
        try output.append(Self.frameLine.utf8Start, Self.frameLine.utf8CodeUnitCount)
        if let samples {
            let chroma = samples.chromaSize(of: layout)
            var free = planar.baseAddress
            try append(samples.luma, planes, width: layout.width, height: layout.height, &free)
            try append(samples.chromaBlue, planes, width: chroma.width, height: chroma.height, &free)
            try append(samples.chromaRed, planes, width: chroma.width, height: chroma.height, &free)
        } else {
            try output.appendRows(of: 0, planes)
        }
        try output.flush()
    }

    private mutating func append(
        _ place: YUVSamples.Place,
        _ planes: ImagePlanes,
        width: Int,
        height: Int,
        _ free: inout UnsafeMutablePointer<UInt8>?
    ) throws(SinkError) {
        if place.step == 1 {
            for row in 0..<height {
                try output.append(place.row(row, of: planes), width)
            }
        } else if let start = free {
            for row in 0..<height {
                place.copyRow(row, of: planes, count: width, to: start + row * width)
            }
            try output.append(start, width * height)
            free = start + width * height
        }
    }

    /// Bytes of the components that have to be taken apart.
    private static func scattered(_ samples: YUVSamples, _ layout: ImageLayout) -> Int {
        let chroma = samples.chromaSize(of: layout)
        return (samples.luma.step == 1 ? 0 : layout.width * layout.height)
            + (samples.chromaBlue.step == 1 ? 0 : chroma.width * chroma.height)
            + (samples.chromaRed.step == 1 ? 0 : chroma.width * chroma.height)
    }
}

extension ImageLayout {
    /// Whether an image of this layout gives the same bytes when its padding is left out.
    func hasSamePixels(as other: ImageLayout) -> Bool {
        width == other.width && height == other.height && format == other.format
    }
}
