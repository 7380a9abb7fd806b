#if Snapshot
import CTurboJPEG
import PixelFormats

/// Compresses images by libjpeg-turbo.
///
/// JPEG files hold BT.601 in full range. Images in YUV of BT.601 go into the compressor as they are, planes taken apart
/// and the range stretched where that is needed; those of BT.709 and BT.2020 go by way of RGB.
struct JPEGEncoder {
    /// 1...100, libjpeg's scale.
    let quality: Int

    /// - Parameter converter: of eight bits, for images that can't go in as they are.
    func encode(_ planes: ImagePlanes, _ converter: RGBConverter) throws(SinkError) -> [UInt8] {
        let layout = planes.layout
        if let samples = YUVSamples(layout.format), let subsampling = Self.subsampling(samples) {
            switch layout.colorSpace.encoding {
            case .rec601, .unknown, .none: return try encode(planes, samples, subsampling)
            case .rec709, .rec2020: break
            }
        }
        return try encode(rows: converter.convert(planes), layout, channels: converter.output.channels)
    }

    private func encode(rows: [UInt8], _ layout: ImageLayout, channels: Int) throws(SinkError) -> [UInt8] {
        try compress { handle, jpeg, size in
            tjCompress2(
                handle,
                rows,
                Int32(layout.width),
                Int32(layout.width * channels),
                Int32(layout.height),
                Int32((channels == 1 ? TJPF_GRAY : TJPF_RGB).rawValue),
                &jpeg,
                &size,
                Int32((channels == 1 ? TJSAMP_GRAY : TJSAMP_444).rawValue),
                Int32(quality),
                0
            )
        }
    }

    private func encode(
        _ planes: ImagePlanes,
        _ samples: YUVSamples,
        _ subsampling: TJSAMP
    ) throws(SinkError) -> [UInt8] {
        let layout = planes.layout
        let wholeGroups = layout.width % samples.chromaWidth == 0 && layout.height % samples.chromaHeight == 0
        let isPlanar = samples.luma.step == 1 && samples.chromaBlue.step == 1 && samples.chromaRed.step == 1
        if isPlanar, wholeGroups, layout.colorSpace.range == .full {
            return try compress(
                (samples.luma.row(0, of: planes), layout.planes[samples.luma.plane].stride),
                (samples.chromaBlue.row(0, of: planes), layout.planes[samples.chromaBlue.plane].stride),
                (samples.chromaRed.row(0, of: planes), layout.planes[samples.chromaRed.plane].stride),
                layout,
                subsampling
            )
        }
        let parts = FullRangePlanes(planes, samples)
        return try parts.bytes.span.bytes.withUnsafeBytes { (bytes) throws(SinkError) in
            guard let start = bytes.baseAddress else {
                return []
            }
            return try compress(
                (start, parts.width),
                (start + parts.chromaBlueOffset, parts.chromaWidth),
                (start + parts.chromaRedOffset, parts.chromaWidth),
                layout,
                subsampling
            )
        }
    }

    private func compress(
        _ luma: (UnsafeRawPointer, stride: Int),
        _ blue: (UnsafeRawPointer, stride: Int),
        _ red: (UnsafeRawPointer, stride: Int),
        _ layout: ImageLayout,
        _ subsampling: TJSAMP
    ) throws(SinkError) -> [UInt8] {
        try compress { handle, jpeg, size in
            fs_jpeg_compress_planes(
                handle,
                luma.0.assumingMemoryBound(to: UInt8.self),
                blue.0.assumingMemoryBound(to: UInt8.self),
                red.0.assumingMemoryBound(to: UInt8.self),
                Int32(luma.stride),
                Int32(blue.stride),
                Int32(red.stride),
                Int32(layout.width),
                Int32(layout.height),
                Int32(subsampling.rawValue),
                &jpeg,
                &size,
                Int32(quality),
                0
            )
        }
    }

    private func compress(
        _ body: (tjhandle, inout UnsafeMutablePointer<UInt8>?, inout UInt) -> Int32
    ) throws(SinkError) -> [UInt8] {
        guard let handle = tjInitCompress() else {
            throw .encoder(String(cString: tjGetErrorStr2(nil)))
        }
        defer { tjDestroy(handle) }
        var jpeg: UnsafeMutablePointer<UInt8>?
        var size: UInt = 0
        let result = body(handle, &jpeg, &size)
        defer { tjFree(jpeg) }
        guard result == 0, let jpeg else {
            throw .encoder(String(cString: tjGetErrorStr2(handle)))
        }
        return Array(UnsafeBufferPointer(start: jpeg, count: Int(size)))
    }

    private static func subsampling(_ samples: YUVSamples) -> TJSAMP? {
        switch (samples.chromaWidth, samples.chromaHeight) {
        case (1, 1): TJSAMP_444
        case (2, 1): TJSAMP_422
        case (2, 2): TJSAMP_420
        default: nil
        }
    }
}

/// An image's luma and chroma as planes in full range, sides rounded up to whole chroma samples as the compressor reads
/// them.
private struct FullRangePlanes {
    let bytes: [UInt8]
    let width: Int
    let chromaWidth: Int
    let chromaBlueOffset: Int
    let chromaRedOffset: Int

    init(_ planes: ImagePlanes, _ samples: YUVSamples) {
        let layout = planes.layout
        let chroma = samples.chromaSize(of: layout)
        let width = chroma.width * samples.chromaWidth
        let height = chroma.height * samples.chromaHeight
        self.width = width
        chromaWidth = chroma.width
        chromaBlueOffset = width * height
        chromaRedOffset = chromaBlueOffset + chroma.width * chroma.height
        let size = chromaRedOffset + chroma.width * chroma.height
        let stretch = layout.colorSpace.range != .full
        let blueStart = chromaBlueOffset
        let redStart = chromaRedOffset
        bytes = [UInt8](unsafeUninitializedCapacity: size) { target, count in
            count = size
            guard let start = target.baseAddress else {
                return
            }
            for row in 0..<height {
                let line = start + row * width
                samples.luma.copyRow(min(row, layout.height - 1), of: planes, count: layout.width, to: line)
                for x in layout.width..<width {
                    line[x] = line[layout.width - 1]
                }
            }
            for row in 0..<chroma.height {
                let offset = row * chroma.width
                samples.chromaBlue.copyRow(row, of: planes, count: chroma.width, to: start + blueStart + offset)
                samples.chromaRed.copyRow(row, of: planes, count: chroma.width, to: start + redStart + offset)
            }
            if stretch {
                Self.stretch(start, count: blueStart, zero: 16, range: 219, middle: 0)
                Self.stretch(start + blueStart, count: size - blueStart, zero: 128, range: 224, middle: 128)
            }
        }
    }

    private static func stretch(
        _ samples: UnsafeMutablePointer<UInt8>,
        count: Int,
        zero: Int,
        range: Int,
        middle: Int
    ) {
        let table = (0..<256).map { value in
            let scaled = (Double((value - zero) * 255) / Double(range)).rounded()
            return UInt8(min(255, max(0, middle + Int(scaled))))
        }
        table.withUnsafeBufferPointer { table in
            for index in 0..<count {
                samples[index] = table[Int(samples[index])]
            }
        }
    }
}
#endif
