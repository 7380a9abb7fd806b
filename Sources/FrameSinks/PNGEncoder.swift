#if Snapshot
import CPNG
import Glibc
import PixelFormats

/// Compresses rows of grey or RGB samples by libpng.
struct PNGEncoder {
    /// zlib's scale, 0...9: low, as a snapshot should not take long.
    private static let compression: Int32 = 3

    func encode(_ rows: [UInt8], _ output: RGBConverter.Output, width: Int, height: Int) throws(SinkError) -> [UInt8] {
        var file = fs_png_bytes()
        let result = fs_png_encode(
            rows,
            output.rowBytes(width: width),
            UInt32(width),
            UInt32(height),
            Int32(output.bits),
            output.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_GRAY | PNG_COLOR_MASK_COLOR,
            Self.compression,
            &file
        )
        defer { free(file.data) }
        guard result == 0 else {
            let message = withUnsafeBytes(of: &file.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            throw .encoder(message)
        }
        return Array(UnsafeBufferPointer(start: file.data, count: file.size))
    }
}
#endif
