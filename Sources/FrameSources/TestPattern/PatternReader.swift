public import PixelFormats

/// Reads the frame number that ``PatternPainter`` drew back from the pixels.
///
/// It looks only at the middle of each cell and takes the middle between the darkest and the brightest as the
/// threshold, so that lossy compression, another range or a change of brightness does no harm; 16 check bits say when
/// it was not the pattern after all. The image must have the size it was painted in: not scaled, cropped or flipped.
public enum PatternReader {
    /// The number drawn in an image, modulo 2⁴⁸.
    ///
    /// MJPEG is decompressed first, in builds with libjpeg-turbo.
    /// - Parameters:
    ///   - layout: how the image lies in `bytes`.
    ///   - bytes: the image's first buffer.
    /// - Returns: `nil` when there is no number: another picture, a damaged one, a format that can't be read, or a
    ///   layout that doesn't fit the bytes.
    public static func frameNumber(in layout: ImageLayout, _ bytes: RawSpan) -> UInt64? {
        bytes.withUnsafeBytes { frameNumber(in: layout, $0) }
    }

    /// As the method of the same name that takes a span, for memory at an address.
    public static func frameNumber(in layout: ImageLayout, _ bytes: UnsafeRawBufferPointer) -> UInt64? {
        let smallest = PatternGeometry.smallestSide
        guard layout.width >= smallest, layout.height >= smallest, (try? layout.validate()) != nil else {
            return nil
        }
        #if Snapshot
        if layout.format == .mjpeg {
            return MotionJPEGPattern.frameNumber(in: bytes)
        }
        #endif
        guard let info = layout.format.info, let plane = info.planes.first, let place = layout.planes.first,
            let reader = BrightnessReader(layout.format, info, plane)
        else {
            return nil
        }
        let geometry = PatternGeometry(width: layout.width, height: layout.height)
        let rowBytes = plane.rowBytes(width: geometry.numberSide) ?? 0
        let end = place.offset + place.stride * (geometry.numberSide - 1) + rowBytes
        guard let start = bytes.baseAddress, bytes.count >= end, place.stride >= rowBytes else {
            return nil
        }
        return frameNumber(geometry) { x, y in
            reader.brightness(row: start + place.offset + y * place.stride, x: x)
        }
    }

    /// Reads the cells by a function that gives a pixel's brightness, 0...255.
    static func frameNumber(_ geometry: PatternGeometry, brightness: (Int, Int) -> Int) -> UInt64? {
        let side = FrameNumberCode.cellsPerSide
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: side * side) { cells in
            var darkest = Int.max
            var brightest = Int.min
            for index in 0..<side * side {
                let (columns, rows) = geometry.sample(row: index / side, column: index % side)
                var sum = 0
                for y in rows {
                    for x in columns {
                        sum += brightness(x, y)
                    }
                }
                cells[index] = sum / (rows.count * columns.count)
                darkest = min(darkest, cells[index])
                brightest = max(brightest, cells[index])
            }
            guard brightest - darkest >= 64 else {
                return nil
            }
            let threshold = (brightest + darkest) / 2
            let code = cells.reduce(0 as UInt64) { $0 << 1 | ($1 > threshold ? 1 : 0) }
            return FrameNumberCode.number(from: code)
        }
    }
}

/// Reads the brightness of pixels, 0...255, from a plane that has it: luma, grey, RGB, or a Bayer mosaic's single
/// colours.
private struct BrightnessReader {
    private let storage: SampleStorage
    private let groupWidth: Int
    private let groupBytes: Int
    /// For each pixel of a group, the bytes that hold the high bits of its samples.
    private let offsets: [[Int]]

    init?(_ format: PixelFormat, _ info: PixelFormatInfo, _ plane: PlaneInfo) {
        guard let storage = SampleStorage(format, info, plane) else {
            return nil
        }
        self.storage = storage
        groupWidth = plane.pixelsPerGroup
        groupBytes = plane.bytesPerGroup
        let sampleBytes = if case .words = storage { 2 } else { 1 }
        let samples = plane.components.indices.filter { ![.u, .v, .a, .x].contains(plane.components[$0]) }
        let perPixel = max(1, samples.count / groupWidth)
        offsets = (0..<groupWidth).map { pixel in
            samples.dropFirst(pixel * perPixel).prefix(perPixel).map { $0 * sampleBytes }
        }
    }

    func brightness(row: UnsafeRawPointer, x: Int) -> Int {
        let group = row + x / groupWidth * groupBytes
        let places = offsets[x % groupWidth]
        switch storage {
        case .bytes, .csi2:
            return places.reduce(0) { $0 + Int(group.load(fromByteOffset: $1, as: UInt8.self)) } / places.count
        case .words(let bits):
            let sum = places.reduce(0) { sum, place in
                let word = UInt16(littleEndian: group.loadUnaligned(fromByteOffset: place, as: UInt16.self))
                return sum + min(255, Int(word) >> (bits - 8))
            }
            return sum / places.count
        case .rgb565(let bigEndian):
            let stored = group.loadUnaligned(as: UInt16.self)
            let word = Int(bigEndian ? UInt16(bigEndian: stored) : UInt16(littleEndian: stored))
            return ((word >> 11) << 3 + (word >> 5 & 63) << 2 + (word & 31) << 3) / 3
        }
    }
}
