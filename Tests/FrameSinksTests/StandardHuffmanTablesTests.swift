#if Snapshot
import FrameSources
import Foundation
import PixelFormats
import Testing

@testable import FrameSinks

@Suite("MJPEG without Huffman tables")
struct StandardHuffmanTablesTests {
    /// A picture by libjpeg-turbo, which writes the standard tables out.
    private static func picture() throws -> [UInt8] { try PatternImage(.nv12, 160, 120).snapshot(Snapshot(.jpeg())) }

    /// The picture without its Huffman tables, and the tables.
    private static func stripped(_ jpeg: [UInt8]) throws -> (jpeg: [UInt8], tables: [UInt8]) {
        var (rest, tables, at) = (Array(jpeg[..<2]), [UInt8](), 2)
        while jpeg[at + 1] != 0xDA {
            try #require(jpeg[at] == 0xFF)
            let end = at + 2 + Int(jpeg[at + 2]) << 8 + Int(jpeg[at + 3])
            if jpeg[at + 1] == 0xC4 { tables += jpeg[(at + 4)..<end] } else { rest += jpeg[at..<end] }
            at = end
        }
        return (rest + jpeg[at...], tables)
    }

    @Test("the tables are those that encoders write")
    func tables() throws {
        let (_, tables) = try Self.stripped(Self.picture())
        #expect(Array(StandardHuffmanTables.segment[4...]) == tables)
    }

    @Test("a picture file has them, and shows what the picture with its own tables shows")
    func added() throws {
        let whole = try Self.picture()
        let (bare, _) = try Self.stripped(whole)
        #expect(bare.count < whole.count)
        let layout = try ImageLayout.opaque(width: 160, height: 120, format: .mjpeg, capacity: 100_000)
        var room = [UInt8](repeating: 0, count: 100_000)
        room.replaceSubrange(0..<bare.count, with: bare)
        let file = try Snapshot(.jpeg()).encode(layout, room.span.bytes, bytesUsed: bare.count)
        #expect(file.count == whole.count || file.count == bare.count + StandardHuffmanTables.segment.count)
        let header = try file.withUnsafeBytes { try JPEGHeader($0) }
        #expect(header.hasHuffmanTables)
        #expect(try Self.pixels(file) == Self.pixels(whole))
        // As PNG, by the decoder here.
        let png = try Snapshot(.png).encode(layout, room.span.bytes, bytesUsed: bare.count)
        var wholeRoom = room
        wholeRoom.replaceSubrange(0..<whole.count, with: whole)
        #expect(try png == Snapshot(.png).encode(layout, wholeRoom.span.bytes, bytesUsed: whole.count))
    }

    private static func pixels(_ jpeg: [UInt8]) throws -> [UInt8] {
        let layout = try ImageLayout.opaque(width: 160, height: 120, format: .mjpeg, capacity: jpeg.count)
        return try jpeg.withUnsafeBytes { (bytes) throws(SinkError) in try JPEGDecoder().decode(bytes, layout).rows }
    }

    @Test("pictures with tables of their own, progressive ones and what is no picture stay as they are")
    func untouched() throws {
        let whole = try Self.picture()
        #expect(whole.withUnsafeBytes { StandardHuffmanTables.adding(to: $0) } == nil)
        var (progressive, _) = try Self.stripped(whole)
        let frame = try #require(progressive.indices.first { progressive[$0] == 0xFF && progressive[$0 + 1] == 0xC0 })
        progressive[frame + 1] = 0xC2
        #expect(progressive.withUnsafeBytes { StandardHuffmanTables.adding(to: $0) } == nil)
        for bytes in [[], [0xFF], [0xFF, 0xD8], [0xFF, 0xD8, 0xFF, 0xD9], [UInt8](repeating: 7, count: 99)] {
            #expect(bytes.withUnsafeBytes { StandardHuffmanTables.adding(to: $0) } == nil)
        }
    }

    @Test("a JPEG image many times as large as its frame is refused before room for it is made")
    func tooLarge() throws {
        var jpeg = try Self.picture()
        let frame = try #require(jpeg.indices.first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
        jpeg.replaceSubrange((frame + 5)..<(frame + 9), with: [0xFF, 0xDC, 0xFF, 0xDC])
        let layout = try ImageLayout.opaque(width: 160, height: 120, format: .mjpeg, capacity: jpeg.count)
        #expect(throws: SinkError.self) { try Snapshot(.png).encode(layout, jpeg.span.bytes) }
    }
}
#endif
