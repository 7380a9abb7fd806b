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
            #expect(rows.copied.count == rows.count * rows.rowBytes)
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
}
