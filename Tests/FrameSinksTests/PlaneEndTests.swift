#if Snapshot
import FrameSinks
import Glibc
import PixelFormats
import Testing

#if FFmpeg
import CFFmpeg
import FFmpegBridge
#endif

/// Images whose last byte is the last before memory that can't be touched: what reads behind it ends the tests.
@Suite("Sinks read nothing behind an image's end")
struct PlaneEndTests {
    private final class GuardedBytes {
        private let mapping: UnsafeMutableRawPointer
        private let size: Int
        private let start: UnsafeMutableRawPointer
        private let count: Int

        init(count: Int) throws {
            let page = Int(sysconf(Int32(_SC_PAGESIZE)))
            self.count = count
            size = (count + page - 1) / page * page + page
            let flags = MAP_PRIVATE | MAP_ANONYMOUS
            mapping = try #require(mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0))
            try #require(mprotect(mapping + size - page, page, PROT_NONE) == 0)
            start = mapping + size - page - count
            for index in 0..<count {
                start.storeBytes(of: UInt8(truncatingIfNeeded: index &* 37), toByteOffset: index, as: UInt8.self)
            }
        }

        deinit { munmap(mapping, size) }

        var bytes: RawSpan {
            @_lifetime(borrow self)
            get { _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: count), borrowing: self) }
        }

        func address(_ offset: Int) -> UnsafeMutablePointer<UInt8> {
            (start + offset).assumingMemoryBound(to: UInt8.self)
        }
    }

    private enum Output: CaseIterable {
        case png, pngOfSamples, jpeg, y4m, raw

        func write(_ layout: ImageLayout, _ bytes: RawSpan, to sink: Int32) throws(SinkError) {
            switch self {
            case .png: _ = try Snapshot(.png).encode(layout, bytes)
            case .pngOfSamples: _ = try Snapshot(.png, mosaicAsGrey: true).encode(layout, bytes)
            case .jpeg: _ = try Snapshot(.jpeg()).encode(layout, bytes)
            case .y4m:
                var writer = try Y4MWriter(descriptor: sink, layout: layout)
                try writer.write(layout, bytes)
            case .raw:
                var writer = RawWriter(descriptor: sink)
                try writer.write(layout, bytes)
            }
        }
    }

    @Test("PNG, JPEG, Y4M and raw output, of odd sizes", arguments: PixelFormat.all.filter { !$0.isCompressed })
    func nothingBehind(format: PixelFormat) throws {
        let sink = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(sink) }
        for (width, height) in [(1, 1), (2, 1), (1, 2), (3, 3), (5, 7), (17, 2), (33, 9)] {
            for colors in [ColorSpace.sycc, .rec709] {
                let layout = try ImageLayout.computed(width: width, height: height, format: format, colorSpace: colors)
                let image = try GuardedBytes(count: layout.bufferSize(0))
                for output in Output.allCases {
                    do throws(SinkError) {
                        try output.write(layout, image.bytes, to: sink)
                    } catch {
                        guard case .unsupportedFormat = error else {
                            Issue.record(error)
                            continue
                        }
                    }
                }
            }
        }
    }

    #if FFmpeg
    @Test("encoders' conversion, of odd sizes", arguments: FFmpegNamesTests.formats)
    func conversion(format: PixelFormat) throws {
        let av = try FFmpegLibrary.functions()
        let (name, swapsChroma) = try #require(format.ffmpeg)
        for (width, height) in [(1, 1), (2, 1), (1, 2), (3, 3), (5, 7), (17, 2), (33, 9)] {
            let layout = try ImageLayout.computed(width: width, height: height, format: format, colorSpace: .sycc)
            let image = try GuardedBytes(count: layout.bufferSize(0))
            let picture = try #require(av.pointee.av_frame_alloc())
            defer {
                var freed: UnsafeMutablePointer<AVFrame>? = picture
                av.pointee.av_frame_free(&freed)
            }
            picture.pointee.width = Int32(width)
            picture.pointee.height = Int32(height)
            picture.pointee.format = name.rawValue
            var order = Array(layout.planes.indices)
            if swapsChroma, order.count == 3 { order.swapAt(1, 2) }
            withUnsafeMutableBytes(of: &picture.pointee.data) { data in
                let data = data.bindMemory(to: UnsafeMutablePointer<UInt8>?.self)
                for (place, plane) in order.enumerated() { data[place] = image.address(layout.planes[plane].offset) }
            }
            withUnsafeMutableBytes(of: &picture.pointee.linesize) { sizes in
                let sizes = sizes.bindMemory(to: Int32.self)
                for (place, plane) in order.enumerated() { sizes[place] = Int32(layout.planes[plane].stride) }
            }
            for target in [AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV422P] {
                let converter = try PictureConverter(from: layout, name, to: target, colors: .sycc, av)
                _ = try converter.convert(picture, hasRoomBehind: false)
            }
        }
    }
    #endif

    @Test("sides that a JPEG image can't have are an error of the encoder's")
    func tooLargeForJPEG() throws {
        let layout = try ImageLayout.computed(width: ImageLayout.largestSide, height: 1, format: .r8)
        let image = try GuardedBytes(count: layout.bufferSize(0))
        #expect(throws: SinkError.self) { try Output.jpeg.write(layout, image.bytes, to: -1) }
        try Output.png.write(layout, image.bytes, to: -1)
    }
}
#endif
