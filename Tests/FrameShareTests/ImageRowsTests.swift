import FrameShare
import Testing

/// Pixels by rows, without a pointer.
@Suite("Rows of images", .timeLimit(.minutes(10)))
struct ImageRowsTests {
    @Test("what was written row by row is read row by row; padding is left out", arguments: [16, 100])
    func roundTrip(width: Int) throws {
        let channel = try TestChannel()
        let layout = try ImageLayout.computed(width: width, height: 10, format: .yuv420, strideAlignment: 64)
        let publisher = try channel.publisher(["main": layout])
        let subscriber = try channel.subscriber()
        let slot = try publisher.nextSlotBlocking()
        let image = slot["main"]
        #expect(image.width == width && image.height == 10 && image.format == .yuv420)
        for plane in 0..<3 {
            image.withMutableRows(plane: plane) { rows in
                #expect(rows.rowBytes == (plane == 0 ? width : width / 2) && rows.count == (plane == 0 ? 10 : 5))
                for y in 0..<rows.count {
                    var row = rows[y]
                    for x in row.indices { row[x] = UInt8(truncatingIfNeeded: plane * 100 + y * 10 + x) }
                }
            }
        }
        try publisher.publish(slot)
        let frame = try present(subscriber.tryNext())
        for plane in 0..<3 {
            let rows = frame["main"].rows(plane: plane)
            #expect(rows.count == (plane == 0 ? 10 : 5) && rows.stride >= rows.rowBytes)
            for y in 0..<rows.count {
                let row = rows[y]
                for x in row.indices { #expect(row[x] == UInt8(truncatingIfNeeded: plane * 100 + y * 10 + x)) }
            }
            let copy = [UInt8](copying: rows)
            #expect(copy.count == rows.count * rows.rowBytes && copy.last == rows[rows.count - 1][rows.rowBytes - 1])
        }
        #expect(frame["main"].width == width && frame["main"].height == 10 && frame["main"].format == .yuv420)
        #expect(frame["main"].rows(plane: 3).count == 0)
    }

    @Test("rows of 16-bit formats are read as values; a compressed image has none")
    func values() throws {
        let channel = try TestChannel()
        let deep = try ImageLayout.computed(width: 4, height: 2, format: .r16)
        let packed = try ImageLayout.opaque(width: 64, height: 64, format: .mjpeg, capacity: 4096)
        let publisher = try channel.publisher(["deep": deep, "packed": packed])
        let subscriber = try channel.subscriber()
        let slot = try publisher.nextSlotBlocking()
        slot["deep"].withMutableRows { rows in
            for y in 0..<rows.count {
                var row = rows[y]
                for x in row.indices { row[x] = UInt8(16 * y + x) }
            }
        }
        #expect(slot["packed"].withMutableRows { _ in true } == nil)
        try publisher.publish(slot)
        let frame = try present(subscriber.tryNext())
        let values = frame["deep"].rows().values(of: 1, as: UInt16.self)
        #expect(values.count == 4)
        for x in values.indices { #expect(values[x] == UInt16(16 + 2 * x) | UInt16(17 + 2 * x) << 8) }
        #expect(frame["packed"].rows().count == 0)
    }

    @Test("16-bit values are written as values; a copy of an image has all planes, or the data of a compressed one")
    func copying() throws {
        let channel = try TestChannel()
        let deep = try ImageLayout.computed(width: 3, height: 2, format: .r16, strideAlignment: 16)
        let odd = try ImageLayout.computed(width: 3, height: 3, format: .yuv420, strideAlignment: 16)
        let packed = try ImageLayout.opaque(width: 64, height: 64, format: .mjpeg, capacity: 4096)
        let publisher = try channel.publisher(["deep": deep, "odd": odd, "packed": packed])
        let subscriber = try channel.subscriber()
        let slot = try publisher.nextSlotBlocking()
        slot["deep"].withMutableRows { rows in
            #expect(rows.stride == 16 && rows.indices == 0..<2)
            for y in rows.indices {
                var values = rows.values(of: y, as: UInt16.self)
                for x in values.indices { values[x] = UInt16(1000 * y + x) }
            }
        }
        for plane in 0..<3 {
            slot["odd"].withMutableRows(plane: plane) { rows in
                for y in rows.indices {
                    var row = rows[y]
                    for x in row.indices { row[x] = UInt8(plane * 100 + y * 10 + x) }
                }
            }
        }
        slot["packed"].withMutableBytes { $0.storeBytes(of: 0xd8ff, as: UInt16.self) }
        var description = FrameDescription()
        description.setBytesUsed(2, stream: 2, plane: 0)
        try publisher.publish(slot, description)
        let frame = try present(subscriber.tryNext())
        #expect([UInt8](copying: frame["deep"]) == [0, 0, 1, 0, 2, 0, 0xe8, 3, 0xe9, 3, 0xea, 3])
        #expect(
            [UInt8](copying: frame["odd"])
                == [0, 1, 2, 10, 11, 12, 20, 21, 22] + [100, 101, 110, 111] + [200, 201, 210, 211]
        )
        #expect([UInt8](copying: frame["packed"]) == [0xff, 0xd8])
    }

    @Test(
        "a part is read and written in place, in every plane, and a part of a part",
        arguments: [PixelFormat.yuv420, .nv12, .yuyv, .rgb888, .r16, .bayer(.rggb, bits: 8) ?? .r16, .r8]
    )
    func parts(format: PixelFormat) throws {
        let channel = try TestChannel()
        let layout = try ImageLayout.computed(width: 38, height: 22, format: format, strideAlignment: 64)
        let publisher = try channel.publisher(["main": layout])
        let subscriber = try channel.subscriber()
        let slot = try publisher.nextSlotBlocking()
        slot["main"].withMutableBytes { bytes in
            for i in 0..<bytes.byteCount {
                bytes.storeBytes(of: UInt8(truncatingIfNeeded: i &* 31), toByteOffset: i, as: UInt8.self)
            }
        }
        // What a copy stage cuts out of the same place is the same.
        let crop = Crop(x: 6, y: 4, width: 12, height: 10)
        let inner = Crop(x: 2, y: 2, width: 4, height: 6)
        for plane in layout.planes.indices {
            try slot["main"].cropped(to: crop).cropped(to: inner).withMutableRows(plane: plane) { rows in
                for y in rows.indices {
                    var row = rows[y]
                    for x in row.indices { row[x] = 255 - UInt8(y) }
                }
            }
        }
        try publisher.publish(slot)
        let frame = try present(subscriber.tryNext())
        let part = try frame["main"].cropped(to: crop)
        #expect(part.width == 12 && part.height == 10 && part.format == format)
        #expect(part.layout == (try layout.cropped(to: crop)) && part.damage == nil)
        let copy = try ImageCopy(of: layout, crop: crop)
        let target = try TestChannel().publisher(["main": copy.destination])
        let copied = try target.nextSlotBlocking()
        let size = copy.copy(frame["main"], into: copied["main"])
        #expect(size == copy.destination.bufferSize(0))
        let bytes = copied["main"].withUnsafeMutableBytes { [UInt8]($0.prefix(copy.destination.bufferSize(0))) }
        #expect([UInt8](copying: part) == bytes)
        let small = try part.cropped(to: inner)
        for plane in layout.planes.indices {
            let rows = small.rows(plane: plane)
            #expect(rows.count == (small.layout.rows(plane: plane) ?? 0) && rows.count > 0)
            #expect(small.bytesUsed(plane: plane) == small.plane(plane).byteCount)
            for y in rows.indices {
                for x in rows[y].indices { #expect(rows[y][x] == 255 - UInt8(y)) }
            }
        }
        // The whole image is as it was.
        #expect(frame["main"].width == 38 && frame["main"].rows()[0][1] == 31)
    }

    @Test("a part that reaches beyond the image, or cuts through a sample of chroma, is refused in words")
    func badParts() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher([
            "main": try .computed(width: 15, height: 9, format: .yuv420),
            "packed": try .opaque(width: 64, height: 64, format: .mjpeg, capacity: 4096),
        ])
        let subscriber = try channel.subscriber()
        let slot = try publisher.nextSlotBlocking()
        let outside = [
            Crop(x: 0, y: 0, width: 16, height: 2), Crop(x: -2, y: 0, width: 4, height: 4),
            Crop(x: .max, y: 0, width: 2, height: 2), Crop(x: 2, y: 0, width: .max, height: 2),
            Crop(width: 0, height: 4), Crop(width: 4, height: .min),
        ]
        for crop in outside {
            #expect(throws: CropError.outside(crop, width: 15, height: 9)) {
                _ = try slot["main"].cropped(to: crop).width
            }
        }
        try publisher.publish(slot)
        let frame = try present(subscriber.tryNext())
        for crop in outside {
            #expect(throws: CropError.outside(crop, width: 15, height: 9)) {
                _ = try frame["main"].cropped(to: crop).width
            }
        }
        for crop in [
            Crop(x: 1, y: 0, width: 2, height: 2), Crop(x: 0, y: 3, width: 2, height: 2), Crop(width: 3, height: 2),
        ] {
            let error = #expect(throws: CropError.self) { _ = try frame["main"].cropped(to: crop).width }
            #expect("\(try #require(error))".contains("multiples of 2"))
        }
        // Odd where the image is.
        #expect(try frame["main"].cropped(to: Crop(x: 2, y: 2, width: 13, height: 7)).rows(plane: 1).count == 4)
        #expect(throws: CropError.noPixels(.mjpeg)) {
            _ = try frame["packed"].cropped(to: Crop(width: 8, height: 8)).width
        }
    }
}
