import PixelFormats
import Testing

@Suite("ImageLayout: what V4L2 drivers say")
struct ImageLayoutV4L2Tests {
    /// "For planar formats the bytesperline value applies to the first plane and is divided by the same factor as the
    /// width field for the other planes." (V4L2, single-planar format structure)
    @Test(
        "one buffer: further strides are derived from bytesperline",
        arguments: [
            ("YU12", 704, 768, [768, 384, 384], [0, 368_640, 460_800], 552_960),
            ("YV12", 640, 640, [640, 320, 320], [0, 307_200, 384_000], 460_800),
            ("422P", 640, 704, [704, 352, 352], [0, 337_920, 506_880], 675_840),
            ("NV12", 640, 640, [640, 640], [0, 307_200], 460_800),
            ("NV16", 600, 640, [640, 640], [0, 307_200], 614_400),
            ("NV24", 640, 640, [640, 1280], [0, 307_200], 921_600),
            ("YUYV", 640, 1280, [1280], [0], 614_400),
            ("pRAA", 1332, 1696, [1696], [0], 814_080),
            ("RGB3", 640, 0, [1920], [0], 921_600),
            ("YU12", 642, 0, [642, 321, 321], [0, 308_160, 385_200], 462_240),
        ] as [(String, Int, Int, [Int], [Int], Int)]
    )
    func contiguous(code: String, width: Int, bytesPerLine: Int, strides: [Int], offsets: [Int], total: Int) throws {
        let fourcc = try #require(FourCC(code))
        let format = try #require(PixelFormat(v4l2: fourcc))
        let layout = try ImageLayout.v4l2(
            width: width,
            height: 480,
            format: format,
            bytesPerLine: bytesPerLine,
            // Drivers may ask for more than the pixels need.
            sizeImage: total + 4096,
            colorSpace: .rec709
        )
        #expect(layout.planes.map(\.stride) == strides)
        #expect(layout.planes.map(\.offset) == offsets)
        #expect(layout.bufferSize(0) == total)
        #expect(layout.colorSpace == .rec709)
        #expect(throws: ImageLayoutError.bufferTooSmall(buffer: 0, size: total - 1, needed: total)) {
            try ImageLayout.v4l2(
                width: width,
                height: 480,
                format: format,
                bytesPerLine: bytesPerLine,
                sizeImage: total - 1
            )
        }
    }

    @Test("compressed and unknown formats are sizeimage bytes")
    func bytes() throws {
        let mjpeg = try ImageLayout.v4l2(
            width: 1920,
            height: 1080,
            format: .mjpeg,
            bytesPerLine: 3840,
            sizeImage: 4_147_200
        )
        #expect(mjpeg.planes == [PlaneLayout(offset: 0, stride: 0, size: 4_147_200)])
        let unknown = try PixelFormat(fourcc: #require(FourCC("XY12")))
        let other = try ImageLayout.v4l2(width: 8, height: 8, format: unknown, bytesPerLine: 16, sizeImage: 500)
        #expect(other.planes == [PlaneLayout(offset: 0, stride: 16, size: 500)])
        #expect(throws: ImageLayoutError.self) {
            try ImageLayout.v4l2(width: 8, height: 8, format: .mjpeg, bytesPerLine: 0, sizeImage: 0)
        }
    }

    @Test("the multi-planar interface: a buffer for each plane")
    func buffersOfTheirOwn() throws {
        let layout = try ImageLayout.v4l2(
            width: 640,
            height: 480,
            format: .nv12,
            planes: [
                V4L2Plane(bytesPerLine: 640, sizeImage: 307_328, dataOffset: 128),
                V4L2Plane(bytesPerLine: 0, sizeImage: 153_600),
            ]
        )
        #expect(
            layout.planes == [
                PlaneLayout(offset: 128, stride: 640, size: 307_200, buffer: 0),
                PlaneLayout(offset: 0, stride: 640, size: 153_600, buffer: 1),
            ]
        )
        #expect(layout.bufferCount == 2)
        #expect(layout.bufferSize(0) == 307_328)
        #expect(layout.bufferSize(1) == 153_600)
    }

    @Test("the multi-planar interface: one buffer for all planes, after a header")
    func oneBuffer() throws {
        let plane = V4L2Plane(bytesPerLine: 640, sizeImage: 460_928, dataOffset: 128)
        let layout = try ImageLayout.v4l2(width: 640, height: 480, format: .nv12, planes: [plane])
        #expect(layout.planes.map(\.offset) == [128, 307_328])
        #expect(layout.bufferCount == 1)
        #expect(layout.bufferSize(0) == 460_928)
    }

    @Test("a driver that contradicts itself is refused, and told what is wrong")
    func contradictions() {
        #expect(throws: ImageLayoutError.strideTooSmall(plane: 0, stride: 639, rowBytes: 640)) {
            try ImageLayout.v4l2(width: 640, height: 480, format: .nv12, bytesPerLine: 639, sizeImage: 460_800)
        }
        #expect(throws: ImageLayoutError.strideNotDivisible(bytesPerLine: 641, by: 2)) {
            try ImageLayout.v4l2(width: 640, height: 480, format: .yuv420, bytesPerLine: 641, sizeImage: 500_000)
        }
        #expect(throws: ImageLayoutError.wrongPlaneCount(.yuv420, found: 2, needed: 3)) {
            let plane = V4L2Plane(bytesPerLine: 640, sizeImage: 460_800)
            return try ImageLayout.v4l2(width: 640, height: 480, format: .yuv420, planes: [plane, plane])
        }
        #expect(throws: ImageLayoutError.wrongPlaneCount(.nv12, found: 0, needed: 2)) {
            try ImageLayout.v4l2(width: 640, height: 480, format: .nv12, planes: [])
        }
        #expect(throws: ImageLayoutError.sizeOutOfRange(width: 0, height: 480)) {
            try ImageLayout.v4l2(width: 0, height: 480, format: .nv12, bytesPerLine: 640, sizeImage: 460_800)
        }
        #expect(throws: ImageLayoutError.planeTooSmall(plane: 1, size: 100, needed: 153_600)) {
            try ImageLayout.v4l2(
                width: 640,
                height: 480,
                format: .nv12,
                planes: [
                    V4L2Plane(bytesPerLine: 640, sizeImage: 307_200), V4L2Plane(bytesPerLine: 640, sizeImage: 100),
                ]
            )
        }
    }
}
