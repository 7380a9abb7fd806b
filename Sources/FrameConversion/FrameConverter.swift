internal import FrameMemory
public import FrameShare
public import PixelFormats

/// Converts the frames of one stream, one after the other, into the slots of a publisher. For one thread.
///
/// What it allocates it allocates for the first frame, and again when frames come with another layout.
public final class FrameConverter {
    public let plan: ConversionPlan
    private let original: ImageLayout
    private let wish: Wish
    private let onlySwscale: Bool
    #if Snapshot
    private var jpeg: JPEGReader?
    #endif
    #if FFmpeg
    private var packets: PacketReader?
    #endif
    private var unpacker: PixelUnpacker?
    private var tail: Tail?

    /// What follows decoding, made for what has come out of it.
    private struct Tail {
        let input: ImageLayout
        var crop: Crop?
        /// Nil: the pixels are only turned.
        var first: PixelScaler?
        /// Before the pixels are turned.
        var unturned: ScratchPicture?
        /// After, where the format that they are turned in is not the result's.
        var turned: ScratchPicture?
        var last: PixelScaler?
        /// What is cut out at a place where it can't be to the pixel is scaled as a whole format first.
        var whole: (scaler: PixelScaler, picture: ScratchPicture)?
    }

    /// - Parameter original: the layout of the stream's images
    public convenience init(of original: ImageLayout, _ wish: Wish) throws(ConversionError) {
        try self.init(of: original, wish, onlySwscale: false)
    }

    init(of original: ImageLayout, _ wish: Wish, onlySwscale: Bool) throws(ConversionError) {
        plan = try ConversionPlan(of: original, wish)
        (self.original, self.wish, self.onlySwscale) = (original, wish, onlySwscale)
        switch plan.steps.first {
        case .decodeJPEG:
            #if Snapshot
            jpeg = try JPEGReader()
            #else
            throw .library("this build decodes no JPEG: build with the trait Snapshot (libturbojpeg0-dev)")
            #endif
        case .decodePackets(let format):
            #if FFmpeg
            packets = try PacketReader(format)
            #else
            throw .library("this build decodes no \(format): build with the trait FFmpeg")
            #endif
        case .unpack: unpacker = try PixelUnpacker(Self.told(original))
        default: break
        }
    }

    /// An original whose colours are known.
    private static func told(_ layout: ImageLayout) -> ImageLayout {
        var told = layout
        told.colorSpace = ConversionPlan.sourceColors(of: layout)
        return told
    }

    /// The library that scales, once a frame was converted; nil where nothing is scaled.
    public var library: String? { tail?.first?.library }

    /// Converts an image to where the result is to be.
    /// - Parameter target: memory of ``ConversionPlan/output``, all planes in one buffer. Behind it lie 64 bytes more that may be
    ///   written to: a slot's buffer ends with its last page.
    /// - Returns: false where the packet gave no picture yet
    /// - Throws: `damaged` for this one frame, others for all
    public func convert(
        _ image: borrowing Image,
        into target: UnsafeMutableRawBufferPointer
    ) throws(ConversionError) -> Bool {
        guard image.layout == original else { throw .failed("the image is \(image.layout), not \(original)") }
        guard let base = target.baseAddress, target.count >= plan.output.bufferSize(0) else {
            throw .failed("the slot has \(target.count) bytes, \(plan.output.bufferSize(0)) are needed")
        }
        guard let picture = try picture(of: image) else { return false }
        try finish(picture, Picture(plan.output, at: base.assumingMemoryBound(to: UInt8.self)))
        return true
    }

    /// What came before is not followed by what comes: packets are missing.
    public func noteGap() {
        #if FFmpeg
        packets?.forget()
        #endif
    }

    /// As ``convert(_:into:)``, of bytes that are no frame's: all planes in one buffer, or a compressed image.
    package func convert(
        bytes: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(ConversionError) -> Bool {
        guard let base = target.baseAddress, target.count >= plan.output.bufferSize(0), let source = bytes.baseAddress,
            original.format.isCompressed || bytes.count >= original.bufferSize(0)
        else { throw .failed("the buffers are too small") }
        let picture: Picture
        if original.format.isCompressed {
            guard let decoded = try decode(bytes) else { return false }
            picture = decoded
        } else {
            // Read only: no step writes to what it reads.
            let pixels = UnsafeMutablePointer(mutating: source.assumingMemoryBound(to: UInt8.self))
            var original = Picture(Self.told(original), at: pixels)
            original.hasRoomBehind = false
            picture = try unpacker?.unpack(original) ?? original
        }
        try finish(picture, Picture(plan.output, at: base.assumingMemoryBound(to: UInt8.self)))
        return true
    }

    // MARK: steps

    private func picture(of image: borrowing Image) throws(ConversionError) -> Picture? {
        guard original.format.isCompressed else {
            if let shortage = image.shortage { throw .damaged("\(shortage)") }
            let picture = try inPlace(image)
            return try unpacker?.unpack(picture) ?? picture
        }
        let bytes = image.plane(0)
        guard bytes.byteCount > 0 else { throw .notReadable(stream: image.name) }
        let used = bytes.extracting(first: min(image.bytesUsed(plane: 0), bytes.byteCount))
        var outcome = Result<Picture?, ConversionError>.success(nil)
        used.withUnsafeBytes { data in
            do throws(ConversionError) {
                outcome = .success(try decode(data))
            } catch {
                outcome = .failure(error)
            }
        }
        return try outcome.get()
    }

    /// - Returns: the decoder's own picture until the next; nil where the packet gave none
    private func decode(_ data: UnsafeRawBufferPointer) throws(ConversionError) -> Picture? {
        switch plan.steps.first {
        case .decodeJPEG(let divisor):
            #if Snapshot
            let colors = ConversionPlan.sourceColors(of: original)
            return try jpeg?.decode(data, original, dividedBy: divisor, colors)
            #else
            return nil
            #endif
        case .decodePackets:
            #if FFmpeg
            guard let picture = try packets?.decode(data) else { return nil }
            guard picture.layout.width == original.width, picture.layout.height == original.height else {
                throw .damaged(
                    "the picture is \(picture.layout.width)x\(picture.layout.height), its frame"
                        + " \(original.width)x\(original.height)"
                )
            }
            return picture
            #else
            return nil
            #endif
        default: return nil
        }
    }

    /// The pixels where the frame has them. The addresses are of the mappings of its generation, which the frame keeps.
    private func inPlace(_ image: borrowing Image) throws(ConversionError) -> Picture {
        var picture = Picture(Self.told(original))
        for (index, plane) in original.planes.enumerated() {
            let bytes = image.plane(index)
            guard bytes.byteCount > 0 else { throw .notReadable(stream: image.name) }
            // Read only: no step writes to what it reads.
            picture.planes[index] = bytes.withUnsafeBytes {
                $0.baseAddress.map { UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: UInt8.self)) }
            }
            let end = plane.offset + plane.size
            let mapped = MemoryPage.roundedUp(image.bytes(buffer: plane.buffer).byteCount) ?? .max
            if mapped - end < ConversionPlan.slack { picture.hasRoomBehind = false }
        }
        return picture
    }

    /// The steps after decoding.
    private func finish(_ picture: Picture, _ target: Picture) throws(ConversionError) {
        if tail == nil || !Self.isSame(tail?.input, picture.layout) { tail = try makeTail(picture) }
        guard let tail else { return }
        var now = picture
        if let whole = tail.whole {
            try whole.scaler.scale(now, to: whole.picture.picture)
            now = whole.picture.picture
        }
        if let crop = tail.crop { now = now.cut(crop) }
        let turns = wish.rotation != .none || wish.mirror
        if let first = tail.first {
            let middle = turns ? tail.unturned?.picture ?? target : target
            try first.scale(now, to: middle)
            now = middle
        }
        guard turns else { return }
        let turned = tail.turned?.picture ?? target
        PixelTurner.turn(now, to: turned, wish.rotation, mirror: wish.mirror)
        if let last = tail.last { try last.scale(turned, to: target) }
    }

    private static func isSame(_ a: ImageLayout?, _ b: ImageLayout) -> Bool {
        a?.width == b.width && a?.height == b.height && a?.format == b.format && a?.colorSpace == b.colorSpace
    }

    private func makeTail(_ picture: Picture) throws(ConversionError) -> Tail {
        let (output, layout) = (plan.output, picture.layout)
        var tail = Tail(input: layout, crop: nil)
        var input = layout
        for case .crop(let crop) in plan.steps {
            // The rounding of a decoder's smaller size may reach beyond it by a pixel.
            let part = Crop(
                x: crop.x,
                y: crop.y,
                width: min(crop.width, layout.width - crop.x),
                height: min(crop.height, layout.height - crop.y)
            )
            tail.crop = part
            if !picture.canCut(part) {
                // A sample stands for several pixels there: first one for each.
                let whole = try ScratchPicture(
                    layout.width,
                    layout.height,
                    .yuv444,
                    ConversionPlan.colors(of: layout, in: .yuv444)
                )
                tail.whole = (
                    try PixelScaler(from: layout, to: whole.picture.layout, .bilinear, onlySwscale: onlySwscale), whole
                )
                input = whole.picture.layout
            }
            (input.width, input.height) = (part.width, part.height)
        }
        let turns = wish.rotation != .none || wish.mirror
        let sides = wish.rotation.swapsSides ? (output.height, output.width) : (output.width, output.height)
        let format = turns ? PixelTurner.format(for: output.format) : output.format
        var middle = output
        if turns {
            let colors = format == output.format ? output.colorSpace : ConversionPlan.colors(of: layout, in: format)
            let isThere = (input.width, input.height) == sides && input.format == format && input.colorSpace == colors
            if !isThere {
                let unturned = try ScratchPicture(sides.0, sides.1, format, colors)
                (tail.unturned, middle) = (unturned, unturned.picture.layout)
                tail.first = try PixelScaler(from: input, to: middle, wish.filter, onlySwscale: onlySwscale)
            }
            if format != output.format {
                let turned = try ScratchPicture(output.width, output.height, format, colors)
                tail.turned = turned
                tail.last = try PixelScaler(
                    from: turned.picture.layout,
                    to: output,
                    wish.filter,
                    onlySwscale: onlySwscale
                )
            }
        } else {
            tail.first = try PixelScaler(from: input, to: middle, wish.filter, onlySwscale: onlySwscale)
        }
        return tail
    }
}
