#if Snapshot
import CTurboJPEG
import PixelFormats

/// The pattern as JPEG images, as webcams give them: painted as planar 4:2:2 in full range and compressed by
/// libjpeg-turbo.
final class MotionJPEGPattern: Sendable {
    private static let quality: Int32 = 90

    private let painter: PatternPainter
    private let background: [UInt8]

    init(width: Int, height: Int) throws(PatternError) {
        // Even sides: the compressor reads whole pairs of pixels.
        let layout: ImageLayout
        do {
            var space = ColorSpace.unknown
            space.encoding = .rec601
            space.range = .full
            layout = try .computed(
                width: width,
                height: height,
                format: .yuv422,
                strideAlignment: 16,
                colorSpace: space
            )
        } catch {
            throw .layout(error)
        }
        painter = try PatternPainter(layout: layout)
        var pixels = [UInt8](repeating: 128, count: layout.bufferSize(0))
        var failure: PatternError?
        let painter = painter
        pixels.withUnsafeMutableBytes { bytes in
            do throws(PatternError) {
                try painter.paint(frame: 0, into: bytes)
            } catch {
                failure = error
            }
        }
        if let failure {
            throw failure
        }
        background = pixels
    }

    /// Paints and compresses a frame. Allocates for the time of the call.
    /// - Returns: the size of the JPEG image.
    func paint(frame: UInt64, into target: UnsafeMutableRawBufferPointer) throws(PatternError) -> Int {
        let size = background.count
        let pixels = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        defer { pixels.deallocate() }
        background.withUnsafeBytes { pixels.copyMemory(from: $0) }
        try painter.paintChanges(frame: frame, into: pixels)
        guard let start = pixels.baseAddress, let handle = tjInitCompress() else {
            throw .compressor(String(cString: tjGetErrorStr2(nil)))
        }
        defer { tjDestroy(handle) }
        let layout = painter.layout
        let planes = layout.planes.map { UnsafePointer((start + $0.offset).assumingMemoryBound(to: UInt8.self)) }
        let strides = layout.planes.map { Int32($0.stride) }
        var jpeg: UnsafeMutablePointer<UInt8>?
        var count: UInt = 0
        let result = fs_jpeg_compress_planes(
            handle,
            planes[0],
            planes[1],
            planes[2],
            strides[0],
            strides[1],
            strides[2],
            Int32(layout.width),
            Int32(layout.height),
            Int32(TJSAMP_422.rawValue),
            &jpeg,
            &count,
            Self.quality,
            0
        )
        defer { tjFree(jpeg) }
        guard result == 0, let jpeg else {
            throw .compressor(String(cString: tjGetErrorStr2(handle)))
        }
        guard Int(count) <= target.count else {
            throw .tooFewBytes(plane: 0, needed: Int(count), given: target.count)
        }
        target.copyMemory(from: UnsafeRawBufferPointer(start: jpeg, count: Int(count)))
        return Int(count)
    }

    /// Decompresses a JPEG image to grey and reads its number.
    static func frameNumber(in bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard let jpeg = bytes.bindMemory(to: UInt8.self).baseAddress, let handle = tjInitDecompress() else {
            return nil
        }
        defer { tjDestroy(handle) }
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var space: Int32 = 0
        let size = UInt(bytes.count)
        guard tjDecompressHeader3(handle, jpeg, size, &width, &height, &subsampling, &space) == 0,
            width >= PatternGeometry.smallestSide, height >= PatternGeometry.smallestSide
        else {
            return nil
        }
        let stride = Int(width)
        let grey = UnsafeMutablePointer<UInt8>.allocate(capacity: stride * Int(height))
        defer { grey.deallocate() }
        guard tjDecompress2(handle, jpeg, size, grey, width, 0, height, Int32(TJPF_GRAY.rawValue), 0) == 0 else {
            return nil
        }
        return PatternReader.frameNumber(PatternGeometry(width: stride, height: Int(height))) { x, y in
            Int(grey[y * stride + x])
        }
    }
}
#endif
