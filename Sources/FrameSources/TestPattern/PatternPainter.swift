public import PixelFormats

/// Paints frames of the test pattern: colour bars, a box that moves eight pixels a frame, and the frame's number as
/// black and white cells at the top left, which ``PatternReader`` reads back.
///
/// The same frame of the same layout always gives the same bytes, so a reader can paint the frame itself and compare.
/// All pieces are encoded once, here; a frame is then a few hundred row copies. The padding behind a row is left as it
/// is.
///
/// The number is drawn modulo 2⁴⁸ in 8 x 8 cells of 2 to 32 pixels. An image of 64x64 or more has cells of at least
/// four pixels, which survive JPEG and H.264; below that only uncompressed images can be relied on, down to 16x16,
/// which the number fills. Images lower than 24 rows have no moving box.
///
/// A painter is a value without state: any number of threads may use it at once, each on memory of its own.
public struct PatternPainter: Sendable {
    /// The image that is painted.
    public let layout: ImageLayout
    let geometry: PatternGeometry
    private let templates: [PatternTemplates]
    #if Snapshot
    private let jpeg: MotionJPEGPattern?
    #endif

    /// Every format that can be painted in this build.
    public static let supportedFormats: [PixelFormat] = PixelFormat.all.filter(isSupported)

    /// Prepares to paint images of a layout.
    ///
    /// YUV is made by the layout's colour space; where that says nothing, by BT.601 in limited range.
    /// - Throws: ``PatternError`` for formats without pixels that can be painted (unknown, H.264, PISP_COMP1), for
    ///   images below 16x16, and for planes too small for the image.
    public init(layout: ImageLayout) throws(PatternError) {
        do {
            try layout.validate()
        } catch {
            throw .layout(error)
        }
        let smallest = PatternGeometry.smallestSide
        guard layout.width >= smallest, layout.height >= smallest else {
            throw .tooSmall(width: layout.width, height: layout.height)
        }
        self.layout = layout
        geometry = PatternGeometry(width: layout.width, height: layout.height)
        if layout.format == .mjpeg {
            #if Snapshot
            jpeg = try MotionJPEGPattern(width: layout.width, height: layout.height)
            templates = []
            return
            #else
            throw .needsJPEGCompressor
            #endif
        }
        #if Snapshot
        jpeg = nil
        #endif
        let colors = PatternColorCoding(layout.colorSpace)
        var templates: [PatternTemplates] = []
        for plane in layout.format.info?.planes ?? [] {
            if let template = PatternTemplates(layout.format, plane: plane, colors: colors, geometry: geometry) {
                templates.append(template)
            }
        }
        guard !templates.isEmpty, templates.count == layout.planes.count else {
            throw .unsupportedFormat(layout.format)
        }
        self.templates = templates
    }

    /// Whether images of a format can be painted in this build.
    public static func isSupported(_ format: PixelFormat) -> Bool {
        #if Snapshot
        if format == .mjpeg {
            return true
        }
        #endif
        guard let info = format.info, !info.planes.isEmpty else {
            return false
        }
        return info.planes.allSatisfy { SampleStorage(format, info, $0) != nil }
    }

    /// Paints all of a frame, whatever was in the memory before.
    /// - Parameters:
    ///   - number: the frame's number. All that moves follows from it.
    ///   - bytes: the memory of one of the layout's buffers.
    ///   - buffer: which one. An image whose planes lie in several buffers needs a call for each.
    /// - Returns: for MJPEG the size of the JPEG, else the bytes of the planes in this buffer.
    /// - Throws: ``PatternError/tooFewBytes(plane:needed:given:)``, or for MJPEG ``PatternError/compressor(_:)``.
    @discardableResult
    public func paint(
        frame number: UInt64,
        into bytes: UnsafeMutableRawBufferPointer,
        buffer: Int = 0
    ) throws(PatternError) -> Int {
        #if Snapshot
        if let jpeg {
            return try jpeg.paint(frame: number, into: bytes)
        }
        #endif
        try forEachPlane(of: buffer, bytes) { template, base, stride in
            template.paintBackground(base: base, stride: stride)
        }
        return try paintChanges(frame: number, into: bytes, buffer: buffer)
    }

    /// Paints only what differs between frames, the number and the band of the moving box, into memory that holds any
    /// frame of this painter already. This is what makes a running pattern cheap. MJPEG has no such parts: all of it is
    /// made.
    @discardableResult
    public func paintChanges(
        frame number: UInt64,
        into bytes: UnsafeMutableRawBufferPointer,
        buffer: Int = 0
    ) throws(PatternError) -> Int {
        #if Snapshot
        if let jpeg {
            return try jpeg.paint(frame: number, into: bytes)
        }
        #endif
        let cells = FrameNumberCode.cells(for: number)
        return try forEachPlane(of: buffer, bytes) { template, base, stride in
            template.paintBox(frame: number, base: base, stride: stride)
            template.paintNumber(cells, base: base, stride: stride)
        }
    }

    /// As the method of the same name that takes a pointer, into a span.
    @discardableResult
    public func paint(
        frame number: UInt64,
        into bytes: inout MutableRawSpan,
        buffer: Int = 0
    ) throws(PatternError) -> Int {
        try bytes.withUnsafeMutableBytes { (bytes) throws(PatternError) in
            try paint(frame: number, into: bytes, buffer: buffer)
        }
    }

    /// Calls `body` for the planes in a buffer, with the start and the stride of each; gives the sum of their sizes.
    @discardableResult
    private func forEachPlane(
        of buffer: Int,
        _ bytes: UnsafeMutableRawBufferPointer,
        _ body: (PatternTemplates, UnsafeMutableRawPointer, Int) -> Void
    ) throws(PatternError) -> Int {
        var total = 0
        for (index, plane) in layout.planes.enumerated() where plane.buffer == buffer {
            let template = templates[index]
            let end = plane.offset + plane.stride * (template.rows - 1) + template.rowBytes
            guard let start = bytes.baseAddress, bytes.count >= end else {
                throw .tooFewBytes(plane: index, needed: end, given: bytes.count)
            }
            body(template, start + plane.offset, plane.stride)
            total += plane.size
        }
        return total
    }
}
