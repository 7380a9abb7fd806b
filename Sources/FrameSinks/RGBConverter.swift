package import PixelFormats

/// Turns images of the known uncompressed formats into rows of grey or RGB samples, as PNG and JPEG take them.
///
/// YUV is converted by the colour space's encoding and range (nothing said: BT.601, limited), chroma samples repeated,
/// not interpolated. Alpha is left out. Bayer images are interpolated by ``Demosaic``, or given as the grey they are.
package struct RGBConverter {
    /// What a row holds.
    package struct Output: Hashable {
        /// 1 for grey, 3 for red, green, blue.
        package let channels: Int
        /// 8, or 16 in the machine's byte order.
        package let bits: Int

        func rowBytes(width: Int) -> Int { width * channels * bits / 8 }
    }

    private enum Source {
        case yuv(YUVSamples, YUVToRGB)
        case rgb8(red: Int, green: Int, blue: Int, step: Int)
        case rgb16(red: Int, green: Int, blue: Int)
        case rgb565(bigEndian: Bool)
        case grey(RawRow)
        case bayer(RawRow, Demosaic)
    }

    package let output: Output
    private let layout: ImageLayout
    private let source: Source

    /// `nil` for compressed and unknown formats.
    /// - Parameters:
    ///   - deep: whether formats of more than eight bits give 16; else eight.
    ///   - mosaicAsGrey: whether Bayer samples are given as they are.
    package init?(_ layout: ImageLayout, deep: Bool, mosaicAsGrey: Bool = false) {
        guard let info = layout.format.info, let source = Self.source(layout, info, mosaicAsGrey: mosaicAsGrey) else {
            return nil
        }
        self.layout = layout
        self.source = source
        let channels = if case .grey = source { 1 } else { 3 }
        output = Output(channels: channels, bits: deep && info.bitDepth > 8 ? 16 : 8)
    }

    private static func source(_ layout: ImageLayout, _ info: PixelFormatInfo, mosaicAsGrey: Bool) -> Source? {
        switch info.colorModel {
        case .yuv:
            return YUVSamples(layout.format).map { .yuv($0, YUVToRGB(layout.colorSpace)) }
        case .rgb:
            let plane = info.planes[0]
            guard let red = plane.components.firstIndex(of: .r), let green = plane.components.firstIndex(of: .g),
                let blue = plane.components.firstIndex(of: .b)
            else {
                return nil
            }
            return switch plane.bytesPerGroup {
            case plane.components.count: .rgb8(red: red, green: green, blue: blue, step: plane.bytesPerGroup)
            case 6: .rgb16(red: 2 * red, green: 2 * green, blue: 2 * blue)
            case 2: .rgb565(bigEndian: layout.format == .rgb565BigEndian)
            default: nil
            }
        case .grey:
            return RawRow(layout).map { .grey($0) }
        case .bayer(let order):
            let mosaic = Demosaic(order, width: layout.width)
            return RawRow(layout).map { mosaicAsGrey ? .grey($0) : .bayer($0, mosaic) }
        case .compressed:
            return nil
        }
    }

    /// Converts the whole image to rows without padding.
    func convert(_ planes: ImagePlanes) -> [UInt8] {
        let rowBytes = output.rowBytes(width: layout.width)
        return [UInt8](unsafeUninitializedCapacity: rowBytes * layout.height) { target, count in
            count = rowBytes * layout.height
            if let start = target.baseAddress { convert(planes, to: start, stride: rowBytes) }
        }
    }

    /// Converts the whole image to rows that are `stride` bytes apart: room for the last row is enough for the last.
    package func convert(_ planes: ImagePlanes, to start: UnsafeMutablePointer<UInt8>, stride: Int) {
        // Room for the deep colours of a row and for three rows of samples, aligned for both.
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 6 * layout.width) { scratch in
            guard let work = scratch.baseAddress else { return }
            for y in 0..<layout.height {
                convert(planes, row: y, to: UnsafeMutableRawPointer(start + y * stride), work)
            }
        }
    }

    private func convert(
        _ planes: ImagePlanes,
        row y: Int,
        to target: UnsafeMutableRawPointer,
        _ work: UnsafeMutablePointer<UInt16>
    ) {
        let bytes = target.assumingMemoryBound(to: UInt8.self)
        let row = planes.row(y, plane: 0)
        switch source {
        case .yuv(let samples, let arithmetic):
            convertYUV(planes, y, samples, arithmetic, to: bytes)
        case .rgb8(let red, let green, let blue, let step):
            for x in 0..<layout.width {
                let pixel = row + x * step
                bytes[3 * x] = pixel.load(fromByteOffset: red, as: UInt8.self)
                bytes[3 * x + 1] = pixel.load(fromByteOffset: green, as: UInt8.self)
                bytes[3 * x + 2] = pixel.load(fromByteOffset: blue, as: UInt8.self)
            }
        case .rgb565(let bigEndian):
            for x in 0..<layout.width {
                let stored = row.loadUnaligned(fromByteOffset: 2 * x, as: UInt16.self)
                let word = Int(bigEndian ? UInt16(bigEndian: stored) : UInt16(littleEndian: stored))
                bytes[3 * x] = UInt8((word >> 11) * 255 / 31)
                bytes[3 * x + 1] = UInt8((word >> 5 & 63) * 255 / 63)
                bytes[3 * x + 2] = UInt8((word & 31) * 255 / 31)
            }
        case .rgb16(let red, let green, let blue):
            for x in 0..<layout.width {
                let pixel = row + 6 * x
                work[3 * x] = UInt16(littleEndian: pixel.loadUnaligned(fromByteOffset: red, as: UInt16.self))
                work[3 * x + 1] = UInt16(littleEndian: pixel.loadUnaligned(fromByteOffset: green, as: UInt16.self))
                work[3 * x + 2] = UInt16(littleEndian: pixel.loadUnaligned(fromByteOffset: blue, as: UInt16.self))
            }
            store(work, to: target)
        case .grey(let samples):
            samples.unpack(row, to: work)
            store(work, to: target)
        case .bayer(let samples, let mosaic):
            let lastRow = layout.height - 1
            let above = y > 0 ? y - 1 : min(1, lastRow)
            let below = y < lastRow ? y + 1 : max(0, lastRow - 1)
            let rows = work + 3 * layout.width
            samples.unpack(planes.row(above, plane: 0), to: rows)
            samples.unpack(row, to: rows + layout.width)
            samples.unpack(planes.row(below, plane: 0), to: rows + 2 * layout.width)
            mosaic.colors(y: y, above: rows, row: rows + layout.width, below: rows + 2 * layout.width, to: work)
            store(work, to: target)
        }
    }

    private func convertYUV(
        _ planes: ImagePlanes,
        _ y: Int,
        _ samples: YUVSamples,
        _ arithmetic: YUVToRGB,
        to target: UnsafeMutablePointer<UInt8>
    ) {
        let luma = samples.luma.row(y, of: planes)
        let blue = samples.chromaBlue.row(y / samples.chromaHeight, of: planes)
        let red = samples.chromaRed.row(y / samples.chromaHeight, of: planes)
        for x in 0..<layout.width {
            let chroma = x / samples.chromaWidth
            arithmetic.store(
                luma.load(fromByteOffset: x * samples.luma.step, as: UInt8.self),
                blue.load(fromByteOffset: chroma * samples.chromaBlue.step, as: UInt8.self),
                red.load(fromByteOffset: chroma * samples.chromaRed.step, as: UInt8.self),
                to: target + 3 * x
            )
        }
    }

    /// A row of 16-bit samples in the output's depth.
    private func store(_ samples: UnsafePointer<UInt16>, to target: UnsafeMutableRawPointer) {
        let count = layout.width * output.channels
        if output.bits == 16 {
            target.copyMemory(from: samples, byteCount: 2 * count)
        } else {
            for index in 0..<count {
                target.storeBytes(of: UInt8(samples[index] >> 8), toByteOffset: index, as: UInt8.self)
            }
        }
    }
}
