#if Snapshot
import CTurboJPEG
import PixelFormats

/// Decompresses JPEG images, as MJPEG cameras give them, to RGB.
struct JPEGDecoder {
    /// - Parameter layout: what the frame says of its size. An image may be somewhat larger, not many times: room for its
    ///   pixels is made before they are read.
    func decode(
        _ jpeg: UnsafeRawBufferPointer,
        _ layout: ImageLayout
    ) throws(SinkError) -> (rows: [UInt8], width: Int, height: Int) {
        guard let handle = tjInitDecompress() else {
            throw .encoder(String(cString: tjGetErrorStr2(nil)))
        }
        defer { tjDestroy(handle) }
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var space: Int32 = 0
        let start = jpeg.bindMemory(to: UInt8.self).baseAddress
        let size = UInt(jpeg.count)
        guard tjDecompressHeader3(handle, start, size, &width, &height, &subsampling, &space) == 0 else {
            throw .encoder(String(cString: tjGetErrorStr2(handle)))
        }
        guard (1...2 * layout.width + 64).contains(Int(width)), (1...2 * layout.height + 64).contains(Int(height))
        else {
            throw .encoder("the JPEG image is \(width)x\(height), its frame \(layout.width)x\(layout.height)")
        }
        var rows = [UInt8](repeating: 0, count: 3 * Int(width) * Int(height))
        // A warning (a byte too many, say) leaves an image that is worth having.
        let result = tjDecompress2(handle, start, size, &rows, width, 0, height, Int32(TJPF_RGB.rawValue), 0)
        guard result == 0 || tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue) else {
            throw .encoder(String(cString: tjGetErrorStr2(handle)))
        }
        return (rows, Int(width), Int(height))
    }
}
#endif
