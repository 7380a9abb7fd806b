import PixelFormats

/// Where an 8-bit YUV image has its luma and chroma samples, the same for planar, semi-planar and packed formats.
struct YUVSamples {
    /// The place of one component: its plane, the first sample's byte in a row, and the bytes from one sample to the
    /// next.
    struct Place {
        let plane: Int
        let offset: Int
        let step: Int

        /// The first sample of a row of the component's own plane.
        func row(_ row: Int, of planes: ImagePlanes) -> UnsafeRawPointer {
            planes.row(row, plane: plane) + offset
        }

        /// Copies the samples of a row next to each other.
        func copyRow(_ row: Int, of planes: ImagePlanes, count: Int, to target: UnsafeMutablePointer<UInt8>) {
            let source = self.row(row, of: planes)
            for index in 0..<count {
                target[index] = source.load(fromByteOffset: index * step, as: UInt8.self)
            }
        }
    }

    let luma: Place
    let chromaBlue: Place
    let chromaRed: Place
    /// Image columns and rows to a chroma sample.
    let chromaWidth: Int
    let chromaHeight: Int

    /// `nil` for formats that are not YUV with a byte a sample.
    init?(_ format: PixelFormat) {
        guard let info = format.info, info.colorModel == .yuv, info.bitDepth == 8,
            let luma = Self.place(.y, info), let blue = Self.place(.u, info), let red = Self.place(.v, info)
        else {
            return nil
        }
        self.luma = luma
        chromaBlue = blue
        chromaRed = red
        let plane = info.planes[blue.plane]
        // A packed group of several pixels has one chroma sample.
        chromaWidth = plane.horizontalSubsampling * plane.pixelsPerGroup
        chromaHeight = plane.verticalSubsampling
    }

    /// Chroma samples in a row, and chroma rows, of an image.
    func chromaSize(of layout: ImageLayout) -> (width: Int, height: Int) {
        ((layout.width + chromaWidth - 1) / chromaWidth, (layout.height + chromaHeight - 1) / chromaHeight)
    }

    private static func place(_ component: Component, _ info: PixelFormatInfo) -> Place? {
        for (index, plane) in info.planes.enumerated() {
            let offsets = plane.components.indices.filter { plane.components[$0] == component }
            if let first = offsets.first {
                return Place(plane: index, offset: first, step: plane.bytesPerGroup / offsets.count)
            }
        }
        return nil
    }
}
