public import PixelFormats

/// Turns one image into a PNG or JPEG file.
///
/// Every uncompressed format of `PixelFormats` can be saved but `PISP_COMP1`. YUV is converted by the layout's colour
/// space, BT.601 in limited range where it says nothing. Bayer images are interpolated to colours as a first look (no
/// white balance, no gamma), or saved as the grey samples that they are. An MJPEG frame saved as JPEG is written as it
/// came, byte by byte, but with the standard Huffman tables where the camera left them out.
///
/// Needs the package trait `Snapshot` (libpng, libjpeg-turbo), but for MJPEG as JPEG.
///
/// A value without state: any thread may use it. Encoding takes milliseconds to tenths of a second for a large image,
/// and the image is read during all of it; copy it first where its frame can't be held for so long.
public struct Snapshot: Sendable, Hashable {
    static let advice = "save it raw, or publish the stream as YUV420, NV12, YUYV, RGB888 or MJPEG"

    /// Packets are not decoded here.
    static let packetAdvice =
        "take it of the channel whose frames are encoded; or 'frameshare record CHANNEL --frames 60 -o x.mp4', and have "
        + "ffmpeg make a picture of that"

    /// The kind of file.
    public var type: SnapshotType
    /// Whether Bayer images are saved as grey samples (16-bit ones in PNG), not as colours.
    public var mosaicAsGrey: Bool

    /// Says what to make.
    public init(_ type: SnapshotType = .png, mosaicAsGrey: Bool = false) {
        self.type = type
        self.mosaicAsGrey = mosaicAsGrey
    }

    /// Whether an image of such a layout can be encoded, by a build with the trait `Snapshot`.
    public static func canEncode(_ layout: ImageLayout) -> Bool {
        layout.format == .mjpeg || RGBConverter(layout, deep: false) != nil
    }

    /// Encodes an image.
    /// - Parameters:
    ///   - bytes: the image's buffer.
    ///   - bytesUsed: of a compressed image, how much of it holds data; `nil`: all.
    /// - Returns: the file's bytes.
    /// - Throws: ``SinkError/unsupportedFormat(_:sink:advice:)``, ``SinkError/notInThisBuild(_:)``, or for damaged or
    ///   too large images ``SinkError/encoder(_:)``.
    public func encode(_ layout: ImageLayout, _ bytes: RawSpan, bytesUsed: Int? = nil) throws(SinkError) -> [UInt8] {
        try bytes.withUnsafeBytes { (bytes) throws(SinkError) in
            try encode(ImagePlanes(layout, bytes: bytes), bytesUsed: bytesUsed)
        }
    }

    /// Encodes an image and writes the file, which appears complete or not at all.
    /// - Parameter overwrite: whether a file of this name is replaced
    /// - Throws: as ``encode(_:_:bytesUsed:)``, ``SinkError/fileExists(_:)`` and ``SinkError/system(call:path:_:)``.
    public func write(
        _ layout: ImageLayout,
        _ bytes: RawSpan,
        bytesUsed: Int? = nil,
        to path: String,
        overwrite: Bool = true
    ) throws(SinkError) {
        try WholeFile(path: path, overwrite: overwrite).write(encode(layout, bytes, bytesUsed: bytesUsed))
    }

    func encode(_ planes: ImagePlanes, bytesUsed: Int?) throws(SinkError) -> [UInt8] {
        let layout = planes.layout
        if layout.format == .mjpeg {
            let size = layout.planes[0].size
            return try encodeJPEG(planes.bytes(plane: 0, count: min(bytesUsed ?? size, size)), layout)
        }
        guard let converter = RGBConverter(layout, deep: type == .png, mosaicAsGrey: mosaicAsGrey) else {
            let isPackets = VideoCodec(layout.format) != nil
            throw .unsupportedFormat(
                layout.format,
                sink: "a snapshot",
                advice: isPackets ? Self.packetAdvice : Self.advice
            )
        }
        #if Snapshot
        switch type {
        case .png:
            let rows = converter.convert(planes)
            return try PNGEncoder().encode(rows, converter.output, width: layout.width, height: layout.height)
        case .jpeg(let quality):
            return try JPEGEncoder(quality: quality).encode(planes, converter)
        }
        #else
        _ = converter
        throw .notInThisBuild("encoding PNG and JPEG")
        #endif
    }

    private func encodeJPEG(_ jpeg: UnsafeRawBufferPointer, _ layout: ImageLayout) throws(SinkError) -> [UInt8] {
        guard jpeg.starts(with: [0xFF, 0xD8]) else {
            throw .encoder("the MJPEG frame does not start as a JPEG image does")
        }
        if case .jpeg = type { return StandardHuffmanTables.adding(to: jpeg) ?? Array(jpeg) }
        #if Snapshot
        let complete = StandardHuffmanTables.adding(to: jpeg) ?? Array(jpeg)
        let (rows, width, height) = try complete.span.bytes.withUnsafeBytes { (jpeg) throws(SinkError) in
            try JPEGDecoder().decode(jpeg, layout)
        }
        return try PNGEncoder().encode(rows, RGBConverter.Output(channels: 3, bits: 8), width: width, height: height)
        #else
        throw .notInThisBuild("decoding MJPEG")
        #endif
    }
}
