internal import FrameShare
internal import PixelFormats

/// Where the pixels of an image lie while it is converted. It owns nothing: who makes it keeps the memory, of at least the
/// layout's size, for as long as it is used.
struct Picture {
    /// The colours are told, never unknown.
    var layout: ImageLayout
    /// Where each plane begins.
    var planes: InlineArray<4, UnsafeMutablePointer<UInt8>?> = .init(repeating: nil)
    /// Whether some bytes behind the last pixel may be read.
    var hasRoomBehind = true

    init(_ layout: ImageLayout) { self.layout = layout }

    /// All planes in one buffer.
    init(_ layout: ImageLayout, at base: UnsafeMutablePointer<UInt8>) {
        self.layout = layout
        for (index, plane) in layout.planes.enumerated() { planes[index] = base + plane.offset }
    }

    /// A part of it. Where a sample stands for several pixels, it begins with the nearest whole one before.
    func cut(_ crop: Crop) -> Picture {
        guard let info = layout.format.info else { return self }
        var part = self
        (part.layout.width, part.layout.height) = (crop.width, crop.height)
        for (index, plane) in info.planes.enumerated() {
            let column = crop.x / plane.horizontalSubsampling / plane.pixelsPerGroup
            let row = crop.y / plane.verticalSubsampling
            part.planes[index] = planes[index].map {
                $0 + row * layout.planes[index].stride + column * plane.bytesPerGroup
            }
        }
        return part
    }

    /// Whether a part can be cut out of it to the pixel.
    func canCut(_ crop: Crop) -> Bool {
        guard let info = layout.format.info else { return false }
        return info.planes.allSatisfy {
            crop.x % ($0.horizontalSubsampling * $0.pixelsPerGroup) == 0 && crop.y % $0.verticalSubsampling == 0
        }
    }
}

/// Memory for a picture between two steps.
final class ScratchPicture {
    let picture: Picture
    private let memory: UnsafeMutableRawPointer

    init(_ width: Int, _ height: Int, _ format: PixelFormat, _ colors: ColorSpace) throws(ConversionError) {
        var layout: ImageLayout
        do throws(ImageLayoutError) {
            // Whole groups: decoders fill those at the edges.
            layout = try ImageLayout.computed(
                width: (width + 1) & ~1,
                height: (height + 1) & ~1,
                format: format,
                strideAlignment: 64,
                colorSpace: colors
            )
        } catch {
            throw .layout(error)
        }
        // Room behind each row and the last: the libraries read and write whole vectors.
        memory = .allocate(byteCount: layout.bufferSize(0) + 4 * ConversionPlan.slack, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: layout.bufferSize(0) + 4 * ConversionPlan.slack)
        (layout.width, layout.height) = (width, height)
        picture = Picture(layout, at: memory.assumingMemoryBound(to: UInt8.self))
    }

    deinit { memory.deallocate() }
}
