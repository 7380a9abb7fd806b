#if FFmpeg
internal import CFFmpeg
internal import FrameMemory
internal import FrameShare
internal import PixelFormats

/// An `AVFrame` over a frame's own memory. The frame's lease ends when FFmpeg drops its last reference.
final class LeasedPicture {
    let frame: UnsafeMutablePointer<AVFrame>
    private let av: UnsafePointer<fs_ffmpeg>
    /// Whether so many bytes may be read behind the last pixel, as swscale does.
    let hasRoomBehind: Bool

    /// What FFmpeg's buffer keeps.
    private final class Lease: Sendable {
        let frame: Frame
        init(_ frame: consuming Frame) { self.frame = frame }
    }

    /// Takes the frame's first image.
    init(
        _ leased: consuming Frame,
        _ format: AVPixelFormat,
        swapsChroma: Bool,
        _ av: UnsafePointer<fs_ffmpeg>
    )
        throws(VideoError)
    {
        guard let picture = av.pointee.av_frame_alloc() else { throw .codec("out of memory") }
        let (places, layout, hasRoom) = Self.places(leased)
        guard let first = places.first ?? nil, !places.contains(nil) else {
            var picture: UnsafeMutablePointer<AVFrame>? = picture
            av.pointee.av_frame_free(&picture)
            throw .notReadable(stream: leased.streams.first?.name ?? "")
        }
        frame = picture
        self.av = av
        hasRoomBehind = hasRoom
        picture.pointee.width = Int32(layout.width)
        picture.pointee.height = Int32(layout.height)
        picture.pointee.format = format.rawValue
        var data: [UnsafeMutablePointer<UInt8>?] = places.map { $0.map { UnsafeMutablePointer(mutating: $0) } }
        var strides = layout.planes.map { Int32($0.stride) }
        if swapsChroma, data.count == 3 {
            data.swapAt(1, 2)
            strides.swapAt(1, 2)
        }
        data += [UnsafeMutablePointer<UInt8>?](repeating: nil, count: 4 - data.count)
        strides += [Int32](repeating: 0, count: 4 - strides.count)
        picture.pointee.data.0 = data[0]
        picture.pointee.data.1 = data[1]
        picture.pointee.data.2 = data[2]
        picture.pointee.data.3 = data[3]
        picture.pointee.linesize.0 = strides[0]
        picture.pointee.linesize.1 = strides[1]
        picture.pointee.linesize.2 = strides[2]
        picture.pointee.linesize.3 = strides[3]
        // Read-only memory: FFmpeg copies before it would write.
        let lease = Unmanaged.passRetained(Lease(leased)).toOpaque()
        fs_AVFrame_buf(picture).pointee.0 = av.pointee.av_buffer_create(
            UnsafeMutablePointer(mutating: first),
            layout.planes[0].size,
            { lease, _ in
                guard let lease else { return }
                Unmanaged<Lease>.fromOpaque(lease).release()
            },
            lease,
            AV_BUFFER_FLAG_READONLY
        )
        if fs_AVFrame_buf(picture).pointee.0 == nil {
            Unmanaged<Lease>.fromOpaque(lease).release()
            throw .codec("out of memory")
        }
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = frame
        av.pointee.av_frame_free(&frame)
    }

    /// Where each plane begins. The addresses are of the mappings of its generation, which the frame keeps.
    private static func places(_ frame: borrowing Frame) -> ([UnsafePointer<UInt8>?], ImageLayout, Bool) {
        guard let image = frame.image(at: 0) else {
            return ([], ImageLayout(width: 0, height: 0, format: .r8, planes: []), false)
        }
        let layout = image.layout
        var hasRoom = true
        var places: [UnsafePointer<UInt8>?] = []
        for (index, plane) in layout.planes.enumerated() {
            let bytes = image.plane(index)
            places.append(
                bytes.withUnsafeBytes { $0.count > 0 ? $0.baseAddress?.assumingMemoryBound(to: UInt8.self) : nil }
            )
            // The mapping ends with its last page.
            let end = plane.offset + plane.size
            let mapped = MemoryPage.roundedUp(image.bytes(buffer: plane.buffer).byteCount) ?? .max
            if mapped - end < 64 { hasRoom = false }
        }
        return (places, layout, hasRoom)
    }
}
#endif
