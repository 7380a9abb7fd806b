import FrameShare
import PeerTesting
import Testing

/// Copies have the pixels of their originals, each where the format says it belongs.
@Suite("Image copies", .timeLimit(.minutes(10)))
struct ImageCopyTests {
    static let withRows = PixelFormat.all.filter { !$0.isCompressed }

    /// An image of noise: what was written, and a frame of it.
    private struct Original: ~Copyable {
        let bytes: [[UInt8]]
        let frame: Frame

        init(bytes: [[UInt8]], frame: consuming Frame) {
            self.bytes = bytes
            self.frame = frame
        }

        static func make(_ layout: ImageLayout) throws -> Original {
            let channel = try TestChannel()
            let publisher = try channel.publisher(["main": layout], slots: 2)
            let subscriber = try channel.subscriber()
            var generator = SeededGenerator(seed: 7)
            let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
            var written: [[UInt8]] = []
            for buffer in 0..<layout.bufferCount {
                let noise = (0..<layout.bufferSize(buffer)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                slot["main"].withUnsafeMutableBytes(buffer: buffer) { $0.copyBytes(from: noise) }
                written.append(noise)
            }
            try publisher.publish(slot)
            // It outlives its channel.
            return Original(bytes: written, frame: try present(subscriber.tryNext()))
        }

        /// The copy's bytes.
        func copy(_ copy: ImageCopy) throws -> [UInt8] {
            let channel = try TestChannel()
            let target = try channel.publisher(["main": copy.destination], slots: 2)
            let slot = try target.nextSlotBlocking(timeout: .seconds(60))
            let count = copy.copy(frame["main"], into: slot["main"])
            try #require(count != nil)
            return try #require(
                slot["main"].withUnsafeMutableBytes { Array($0.prefix(copy.destination.bufferSize(0))) }
            )
        }
    }

    /// Compares group by group, by the format's own table. Returns how many rows were looked at.
    private func expectSamePixels(_ original: borrowing Original, _ copied: [UInt8], _ copy: ImageCopy, _ crop: Crop) {
        let (layout, part) = (copy.source, copy.destination)
        for (index, info) in (layout.format.info?.planes ?? []).enumerated() {
            let (from, to) = (layout.planes[index], part.planes[index])
            let left = crop.x / (info.horizontalSubsampling * info.pixelsPerGroup) * info.bytesPerGroup
            let rowBytes = part.rowBytes(plane: index) ?? 0
            var wrong = 0
            for row in 0..<(part.rows(plane: index) ?? 0) {
                let start = from.offset + (crop.y / info.verticalSubsampling + row) * from.stride + left
                let there = to.offset + row * to.stride
                let isSame = original.bytes[from.buffer][start..<start + rowBytes] == copied[there..<there + rowBytes]
                if !isSame { wrong += 1 }
            }
            #expect(wrong == 0, "\(layout.format) plane \(index)")
            #expect(rowBytes > 0)
        }
    }

    @Test("a whole image is the same in every format, whatever its stride", arguments: withRows)
    func whole(format: PixelFormat) throws {
        for alignment in [1, 256] {
            let layout = try ImageLayout.computed(width: 66, height: 18, format: format, strideAlignment: alignment)
            let original = try Original.make(layout)
            let copy = try ImageCopy(of: layout)
            expectSamePixels(original, try original.copy(copy), copy, Crop(width: 66, height: 18))
            // Wide padding is left behind.
            let padding = copy.destination.planes[0].stride - (copy.destination.rowBytes(plane: 0) ?? 0)
            #expect(padding <= (layout.rowBytes(plane: 0) ?? 0) / 8 + 2)
        }
    }

    @Test("a rectangle has the pixels that were there, in every format", arguments: withRows)
    func rectangle(format: PixelFormat) throws {
        let layout = try ImageLayout.computed(width: 64, height: 32, format: format, strideAlignment: 32)
        let original = try Original.make(layout)
        for crop in [Crop(x: 16, y: 4, width: 32, height: 12), Crop(x: 0, y: 2, width: 64, height: 30)] {
            let copy = try ImageCopy(of: layout, crop: crop)
            #expect(copy.destination.width == crop.width)
            #expect(copy.destination.height == crop.height)
            expectSamePixels(original, try original.copy(copy), copy, crop)
        }
    }

    @Test("a rectangle up to the edge of an image of odd size keeps its last column and row")
    func oddEdge() throws {
        let layout = try ImageLayout.computed(width: 33, height: 17, format: .yuv420)
        let original = try Original.make(layout)
        let crop = Crop(x: 16, y: 8, width: 17, height: 9)
        let copy = try ImageCopy(of: layout, crop: crop)
        expectSamePixels(original, try original.copy(copy), copy, crop)
    }

    @Test("planes in buffers of their own become one buffer")
    func severalBuffers() throws {
        var layout = try ImageLayout.computed(width: 32, height: 16, format: .nv12, strideAlignment: 64)
        layout.planes[1].buffer = 1
        layout.planes[1].offset = 128
        let original = try Original.make(layout)
        let copy = try ImageCopy(of: layout)
        #expect(copy.destination.bufferCount == 1)
        expectSamePixels(original, try original.copy(copy), copy, Crop(width: 32, height: 16))
    }

    @Test(
        "a rectangle that cuts through what belongs together is refused, with the reason",
        arguments: [
            (PixelFormat.yuv420, Crop(x: 1, width: 16, height: 8), 2, 2, "chroma"),
            (.yuv420, Crop(y: 1, width: 16, height: 8), 2, 2, "chroma"),
            (.nv12, Crop(width: 15, height: 8), 2, 2, "chroma"),
            (.nv16, Crop(x: 3, width: 16, height: 8), 2, 1, "chroma"),
            (.yuyv, Crop(x: 1, width: 16, height: 8), 2, 1, "groups of 2"),
            (.r10csi2p, Crop(x: 2, width: 16, height: 8), 4, 1, "groups of 4"),
            (.rgb888, Crop(x: 60, width: 16, height: 8), 0, 0, ""),
            (.r8, Crop(x: 0, width: 0, height: 8), 0, 0, ""),
            (.r8, Crop(x: .max, width: .max, height: 8), 0, 0, ""),
            (.mjpeg, Crop(width: 16, height: 8), -1, -1, ""),
        ]
    )
    func refused(format: PixelFormat, crop: Crop, across: Int, down: Int, reason: String) throws {
        let layout =
            format.isCompressed
            ? try ImageLayout.opaque(width: 64, height: 32, format: format, capacity: 100)
            : try .computed(width: 64, height: 32, format: format)
        let expected: CropError =
            switch across {
            case -1: .noPixels(format)
            case 0: .outside(crop, width: 64, height: 32)
            default: .misaligned(crop, format, across: across, down: down, reason: "")
            }
        do throws(CopyError) {
            _ = try ImageCopy(of: layout, crop: crop)
            Issue.record("\(format) was cut at \(crop)")
        } catch {
            switch (error, expected) {
            case (.crop(.misaligned(_, _, let a, let d, let why)), .misaligned):
                #expect(a == across && d == down)
                #expect(why.contains(reason))
            default: #expect(error == .crop(expected))
            }
        }
    }

    @Test("a Bayer image is cut at whole 2x2 patterns only, so that its colours stay what they are")
    func bayer() throws {
        let format = try #require(PixelFormat.bayer(.rggb, bits: 10))
        let layout = try ImageLayout.computed(width: 64, height: 32, format: format)
        #expect(throws: CopyError.self) { try ImageCopy(of: layout, crop: Crop(x: 1, width: 16, height: 8)) }
        #expect(throws: CopyError.self) { try ImageCopy(of: layout, crop: Crop(y: 1, width: 16, height: 8)) }
        _ = try ImageCopy(of: layout, crop: Crop(x: 2, y: 2, width: 16, height: 8))
    }

    @Test("of a compressed image the bytes that are used are copied, and no more")
    func compressed() throws {
        let layout = try ImageLayout.opaque(width: 64, height: 32, format: .mjpeg, capacity: 1000)
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": layout])
        let subscriber = try channel.subscriber()
        var description = FrameDescription()
        description.setBytesUsed(300, stream: 0, plane: 0)
        try publisher.send(9, description)
        let frame = try present(subscriber.tryNext())
        let copy = try ImageCopy(of: layout)
        let other = try TestChannel()
        let target = try other.publisher(["main": copy.destination])
        let slot = try target.nextSlotBlocking(timeout: .seconds(60))
        let count = copy.copy(frame["main"], into: slot["main"])
        #expect(count == 300)
        let sum = slot["main"].withUnsafeMutableBytes { $0.reduce(0) { $0 + Int($1) } }
        #expect(sum == 2700)
    }

    @Test("a rectangle is written as it is read", arguments: ["640x480+320+16", "16x8+0+0"])
    func text(text: String) {
        #expect(Crop(text)?.description == text)
        #expect(Crop("16x8") == Crop(width: 16, height: 8))
        for wrong in ["", "16", "16x", "x8", "16x8+1", "16x8+1+", "16x8+a+1", "16x8x2", "+1+1"] {
            #expect(Crop(wrong) == nil)
        }
    }
}
