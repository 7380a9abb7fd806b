// The words in memory order are of the lowest address first.
extension PixelFormat {
    /// Planes Y, U, V; chroma halved both ways. V4L2 `YU12`, also known as I420.
    public static let yuv420 = PixelFormat(code: "YU12")
    /// Planes Y, V, U; chroma halved both ways. V4L2 `YV12`.
    public static let yvu420 = PixelFormat(code: "YV12")
    /// Planes Y, U, V; chroma halved in width. V4L2 `422P`.
    public static let yuv422 = PixelFormat(code: "YU16")
    /// Planes Y, V, U; chroma halved in width.
    public static let yvu422 = PixelFormat(code: "YV16")
    /// Planes Y, U, V of the same size.
    public static let yuv444 = PixelFormat(code: "YU24")
    /// Planes Y, V, U of the same size.
    public static let yvu444 = PixelFormat(code: "YV24")
    /// Planes Y, UV; chroma halved both ways.
    public static let nv12 = PixelFormat(code: "NV12")
    /// Planes Y, VU; chroma halved both ways.
    public static let nv21 = PixelFormat(code: "NV21")
    /// Planes Y, UV; chroma halved in width.
    public static let nv16 = PixelFormat(code: "NV16")
    /// Planes Y, VU; chroma halved in width.
    public static let nv61 = PixelFormat(code: "NV61")
    /// Planes Y, UV of the same number of pixels.
    public static let nv24 = PixelFormat(code: "NV24")
    /// Planes Y, VU of the same number of pixels.
    public static let nv42 = PixelFormat(code: "NV42")
    /// Y U Y V: two pixels in four bytes, the usual uncompressed webcam format.
    public static let yuyv = PixelFormat(code: "YUYV")
    /// U Y V Y: two pixels in four bytes.
    public static let uyvy = PixelFormat(code: "UYVY")
    /// Y V Y U: two pixels in four bytes.
    public static let yvyu = PixelFormat(code: "YVYU")
    /// V Y U Y: two pixels in four bytes.
    public static let vyuy = PixelFormat(code: "VYUY")
    /// Y U V in memory. V4L2 `YUV3`.
    public static let vuy888 = PixelFormat(code: "VU24")
    /// V U Y A in memory: DRM's `AYUV`, which V4L2 calls `VUYA`.
    public static let ayuv8888 = PixelFormat(code: "AYUV")
    /// V U Y X in memory: DRM's `XYUV8888`, which V4L2 calls `VUYX`.
    public static let xyuv8888 = PixelFormat(code: "XYUV")
    /// A Y U V in memory: V4L2's `AYUV`, which is DRM's with the big-endian bit.
    public static let ayuv8888BigEndian = PixelFormat(fourcc: FourCC(code: "AYUV").bigEndian)
    /// X Y U V in memory: V4L2's `XYUV` and `YUV4`, which is DRM's `XYUV8888` with the big-endian bit.
    public static let xyuv8888BigEndian = PixelFormat(fourcc: FourCC(code: "XYUV").bigEndian)
    /// Y U V A in memory. V4L2 `YUVA`.
    public static let avuy8888 = PixelFormat(code: "AVUY")
    /// Y U V X in memory. V4L2 `YUVX`.
    public static let xvuy8888 = PixelFormat(code: "XVUY")

    /// B G R in memory. V4L2 `BGR3`.
    public static let rgb888 = PixelFormat(code: "RG24")
    /// R G B in memory. V4L2 `RGB3`.
    public static let bgr888 = PixelFormat(code: "BG24")
    /// Bytes in the order red, green, blue: what most image files and Pillow have. DRM names a format by its word, whose lowest
    /// byte comes first in memory, so it calls this one ``bgr888``.
    public static let rgbBytes = PixelFormat.bgr888
    /// Bytes in the order blue, green, red: what OpenCV has. DRM calls it ``rgb888``.
    public static let bgrBytes = PixelFormat.rgb888
    /// B G R X in memory. V4L2 `XR24`.
    public static let xrgb8888 = PixelFormat(code: "XR24")
    /// R G B X in memory. V4L2 `XB24`.
    public static let xbgr8888 = PixelFormat(code: "XB24")
    /// X B G R in memory. V4L2 `RX24`.
    public static let rgbx8888 = PixelFormat(code: "RX24")
    /// X R G B in memory. V4L2 `BX24`.
    public static let bgrx8888 = PixelFormat(code: "BX24")
    /// B G R A in memory. V4L2 `AR24`.
    public static let argb8888 = PixelFormat(code: "AR24")
    /// R G B A in memory. V4L2 `AB24`.
    public static let abgr8888 = PixelFormat(code: "AB24")
    /// A B G R in memory. V4L2 `RA24`.
    public static let rgba8888 = PixelFormat(code: "RA24")
    /// A R G B in memory. V4L2 `BA24`.
    public static let bgra8888 = PixelFormat(code: "BA24")
    /// A 16-bit little-endian word, red in its highest bits. V4L2 `RGBP`.
    public static let rgb565 = PixelFormat(code: "RG16")
    /// A 16-bit big-endian word, red in its highest bits. V4L2 `RGBR`.
    public static let rgb565BigEndian = PixelFormat(fourcc: FourCC(code: "RG16").bigEndian)
    /// B G R in memory, 16-bit little-endian each. V4L2 `BGR6`.
    public static let rgb161616 = PixelFormat(code: "RG48")
    /// R G B in memory, 16-bit little-endian each. V4L2 `RGB6`.
    public static let bgr161616 = PixelFormat(code: "BG48")

    /// Grey, a byte a pixel. V4L2 `GREY`.
    public static let r8 = PixelFormat(code: "R8")
    /// Grey, 10 bits in the low bits of a 16-bit word. V4L2 `Y10`.
    public static let r10 = PixelFormat(code: "R10")
    /// Grey, 12 bits in the low bits of a 16-bit word. V4L2 `Y12`.
    public static let r12 = PixelFormat(code: "R12")
    /// Grey, 16 bits. V4L2 `Y16`.
    public static let r16 = PixelFormat(code: "R16")
    /// Grey, 10 bits: 4 pixels in 5 bytes. V4L2 `Y10P`.
    public static let r10csi2p = PixelFormat(code: "R10", modifier: FormatModifier.csi2Packed)
    /// Grey, 12 bits: 2 pixels in 3 bytes. V4L2 `Y12P`.
    public static let r12csi2p = PixelFormat(code: "R12", modifier: FormatModifier.csi2Packed)
    /// Grey, compressed by a Raspberry Pi 5's camera front end; decodes to 16 bits. V4L2 `PC1M`.
    public static let monoPispComp1 = PixelFormat(code: "R16", modifier: FormatModifier.pispCompressMode1)

    /// A JPEG image for each frame.
    public static let mjpeg = PixelFormat(code: "MJPG")
    /// An H.264 stream with start codes, an access unit for each frame. The code is V4L2's; DRM has none.
    public static let h264 = PixelFormat(code: "H264")
    /// An HEVC (H.265) stream with start codes, an access unit for each frame. The code is V4L2's; DRM has none.
    public static let hevc = PixelFormat(code: "HEVC")
    /// The stream of the kernel's test codec, vicodec (fast Walsh-Hadamard transform). The code is V4L2's; DRM has none.
    public static let fwht = PixelFormat(code: "FWHT")

    /// A colour sensor's raw format: 8 or 16 bits, 10, 12 or 14 bits plain or packed as in CSI-2, or 16 bits compressed
    /// by PiSP (`bits` is then 16). Nil for any other combination.
    public static func bayer(_ order: BayerOrder, bits: Int, packing: RawPacking = .none) -> PixelFormat? {
        switch (bits, packing) {
        case (8, .none), (10, .none), (12, .none), (14, .none), (16, .none):
            PixelFormat(fourcc: BayerCodes.drm(order, bits: bits))
        case (10, .csi2), (12, .csi2), (14, .csi2):
            PixelFormat(fourcc: BayerCodes.drm(order, bits: bits), modifier: FormatModifier.csi2Packed)
        case (16, .pispComp1):
            PixelFormat(fourcc: BayerCodes.drm(order, bits: bits), modifier: FormatModifier.pispCompressMode1)
        default:
            nil
        }
    }

    private init(code: StaticString, modifier: UInt64 = FormatModifier.linear) {
        self.init(fourcc: FourCC(code: code), modifier: modifier)
    }
}
