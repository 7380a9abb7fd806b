/// The segments of a JPEG image (ITU-T T.81, annex B) from its start to its first scan.
package struct JPEGHeader: Sendable {
    /// The marker of the first scan (`SOS`), in bytes from the start of the image.
    package let scanMarker: Int
    /// The first byte of the scan's entropy-coded data.
    package let scanData: Int
    /// Whether a Huffman table (`DHT`) comes before the first scan.
    package let hasHuffmanTables: Bool
    /// Whether the scan is coded with Huffman tables, and those of annex K can be meant: a sequential 8-bit frame.
    package let takesStandardTables: Bool

    /// Reads the segments. Bytes between two segments are gone over, as decoders do.
    /// - Throws: ``ImageDamage/noBeginning(_:)`` or ``ImageDamage/noEnd(_:)``
    package init(_ bytes: UnsafeRawBufferPointer) throws(ImageDamage) {
        guard bytes.count >= 2, bytes[0] == 0xFF, bytes[1] == Self.imageStart else { throw .noBeginning(.mjpeg) }
        var (hasTables, isSequential, hasFrame) = (false, false, false)
        var at = 2
        while true {
            while at < bytes.count, bytes[at] != 0xFF { at += 1 }
            while at < bytes.count, bytes[at] == 0xFF { at += 1 }
            guard at < bytes.count else { throw .noEnd(.mjpeg) }
            let (marker, code) = (at - 1, bytes[at])
            at += 1
            switch code {
            // A stuffed zero, TEM, and the markers without a segment.
            case 0x00, 0x01, 0xD0...0xD7, Self.imageStart: continue
            case Self.imageEnd: throw .noPicture(.mjpeg)
            default: break
            }
            guard at + 2 <= bytes.count else { throw .noEnd(.mjpeg) }
            let length = Int(bytes[at]) << 8 | Int(bytes[at + 1])
            guard length >= 2, at + length <= bytes.count else { throw .noEnd(.mjpeg) }
            switch code {
            case 0xC4: hasTables = true
            // The start of a frame (SOF): all of C0 to CF but DHT, JPG and DAC.
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
                hasFrame = true
                isSequential = code <= 0xC1 && length > 2 && bytes[at + 2] == 8
            case Self.scanStart:
                guard hasFrame else { throw .noPicture(.mjpeg) }
                (scanMarker, scanData) = (marker, at + length)
                (hasHuffmanTables, takesStandardTables) = (hasTables, isSequential)
                return
            default: break
            }
            at += length
        }
    }

    private static let imageStart: UInt8 = 0xD8
    private static let imageEnd: UInt8 = 0xD9
    private static let scanStart: UInt8 = 0xDA

    /// Whether the image's end (`EOI`) comes after the first scan has begun. What follows the end does not count: many
    /// cameras pad their frames. In entropy-coded data 0xFF is followed by 0 or a restart marker, never by the end's code.
    package func hasEnd(in bytes: UnsafeRawBufferPointer) -> Bool {
        var end = bytes.count
        while end >= scanData + 2 {
            if bytes[end - 1] == Self.imageEnd, bytes[end - 2] == 0xFF { return true }
            end -= 1
        }
        return false
    }
}
