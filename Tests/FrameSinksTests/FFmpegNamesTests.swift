#if FFmpeg && Snapshot
import CFFmpeg
import FFmpegBridge
import PixelFormats
import Testing

@testable import FrameSinks

/// One colour in the bytes that the table says, as swscale and the converter here see it.
@Suite("FFmpeg's names of formats")
struct FFmpegNamesTests {
    static let formats = PixelFormat.all.filter { $0.ffmpeg != nil && $0.info?.colorModel != .grey }

    /// A colour whose every component differs: in RGB, and in BT.601's full range.
    private static let rgb: [Component: UInt8] = [.r: 200, .g: 120, .b: 40, .a: 255, .x: 7]
    private static let yuv: [Component: UInt8] = [.y: 135, .u: 75, .v: 175, .a: 255, .x: 7]

    /// An image of that colour, its samples where the format's table has them.
    private static func image(_ format: PixelFormat) throws -> (ImageLayout, [UInt8]) {
        var space = ColorSpace.sycc
        let info = try #require(format.info)
        if info.colorModel == .rgb { space = .srgb }
        let layout = try ImageLayout.computed(
            width: 16,
            height: 16,
            format: format,
            strideAlignment: 64,
            colorSpace: space
        )
        var bytes = [UInt8](repeating: 0, count: layout.bufferSize(0))
        for (index, plane) in info.planes.enumerated() {
            var group = plane.components.flatMap { component -> [UInt8] in
                let value = (info.colorModel == .rgb ? rgb : yuv)[component] ?? 0
                // 16 bits, little-endian.
                return plane.bytesPerGroup == 2 * plane.components.count ? [value, value] : [value]
            }
            if plane.bytesPerGroup == 2, plane.components == [.b, .g, .r] {
                var word = UInt16(rgb[.r, default: 0] >> 3)
                word = word << 6 | UInt16(rgb[.g, default: 0] >> 2)
                word = word << 5 | UInt16(rgb[.b, default: 0] >> 3)
                group = [UInt8(word & 0xFF), UInt8(word >> 8)]
                if format.fourcc.isBigEndian { group.reverse() }
            }
            let place = layout.planes[index]
            for row in 0..<(layout.rows(plane: index) ?? 0) {
                for start in stride(from: 0, to: layout.rowBytes(plane: index) ?? 0, by: group.count) {
                    let at = place.offset + row * place.stride + start
                    bytes.replaceSubrange(at..<(at + group.count), with: group)
                }
            }
        }
        return (layout, bytes)
    }

    @Test("swscale and the converter here see the same colour", arguments: formats)
    func color(format: PixelFormat) throws {
        let (layout, bytes) = try Self.image(format)
        let (name, swapsChroma) = try #require(format.ffmpeg)
        let av = try FFmpegLibrary.functions()
        let converter = try PictureConverter(from: layout, name, to: AV_PIX_FMT_RGB24, colors: .srgb, av)
        let picture = try #require(av.pointee.av_frame_alloc())
        defer {
            var freed: UnsafeMutablePointer<AVFrame>? = picture
            av.pointee.av_frame_free(&freed)
        }
        (picture.pointee.width, picture.pointee.height, picture.pointee.format) = (16, 16, name.rawValue)
        // Room behind for what swscale reads there.
        var room = bytes + [UInt8](repeating: 0, count: 256)
        let seen = try room.withUnsafeMutableBytes { room -> [UInt8] in
            let start = try #require(room.baseAddress).assumingMemoryBound(to: UInt8.self)
            var order = Array(layout.planes.indices)
            if swapsChroma, order.count == 3 { order.swapAt(1, 2) }
            withUnsafeMutableBytes(of: &picture.pointee.data) { data in
                let data = data.bindMemory(to: UnsafeMutablePointer<UInt8>?.self)
                for (place, plane) in order.enumerated() { data[place] = start + layout.planes[plane].offset }
            }
            withUnsafeMutableBytes(of: &picture.pointee.linesize) { sizes in
                let sizes = sizes.bindMemory(to: Int32.self)
                for (place, plane) in order.enumerated() { sizes[place] = Int32(layout.planes[plane].stride) }
            }
            let converted = try converter.convert(picture)
            let pixel = try #require(converted.pointee.data.0) + 8 * Int(converted.pointee.linesize.0) + 3 * 8
            return [pixel[0], pixel[1], pixel[2]]
        }
        let rows = try bytes.withUnsafeBytes { (bytes) throws -> [UInt8] in
            let converter = try #require(RGBConverter(layout, deep: false))
            return converter.convert(try ImagePlanes(layout, bytes: bytes))
        }
        let own = Array(rows[(3 * (8 * 16 + 8))..<(3 * (8 * 16 + 8) + 3)])
        for (index, expected) in [200, 120, 40].enumerated() {
            #expect(abs(Int(seen[index]) - expected) <= 10, "\(format) by swscale: \(seen)")
            #expect(abs(Int(own[index]) - expected) <= 10, "\(format) by the converter here: \(own)")
        }
        // A format that FFmpeg has under this name comes back as it, or as the one whose chroma planes are the other way.
        let back = try #require(PixelFormat(ffmpeg: name))
        #expect(back == format || swapsChroma)
    }
}
#endif
