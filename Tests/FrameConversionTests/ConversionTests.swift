import FrameShare
import FrameSinks
import Glibc
import PixelFormats
import Testing

@testable import FrameConversion

#if FFmpeg && Snapshot
/// Pixels of conversions, beside those that ffmpeg makes of the same picture.
@Suite("Conversions", .timeLimit(.minutes(10)))
struct ConversionTests {
    /// Not even, and no multiple of anything.
    private static let (width, height) = (67, 45)

    /// What ffmpeg calls a format here, for those that it has, with the planes in the same order.
    static let names: [(PixelFormat, String)] = [
        (.rgb888, "bgr24"), (.bgr888, "rgb24"), (.xrgb8888, "bgr0"), (.xbgr8888, "rgb0"), (.rgbx8888, "0bgr"),
        (.bgrx8888, "0rgb"), (.argb8888, "bgra"), (.abgr8888, "rgba"), (.rgba8888, "abgr"), (.bgra8888, "argb"),
        (.rgb565, "rgb565le"), (.r8, "gray"), (.yuv420, "yuv420p"), (.yuv422, "yuv422p"), (.yuv444, "yuv444p"),
        (.nv12, "nv12"), (.nv21, "nv21"), (.nv24, "nv24"), (.nv42, "nv42"), (.yuyv, "yuyv422"),
        (.uyvy, "uyvy422"), (.yvyu, "yvyu422"), (.rgb161616, "bgr48le"), (.bgr161616, "rgb48le"), (.r10, "gray10le"),
        (.r12, "gray12le"), (.r16, "gray16le"), (.rgb565BigEndian, "rgb565be"),
    ]

    /// A smooth picture of all colours, as rows of red, green and blue.
    private static func picture(_ width: Int, _ height: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let blue: Int = (x + y) * 255 / (width + height - 2)
                bytes += [UInt8(x * 255 / (width - 1)), UInt8(y * 255 / (height - 1)), UInt8(blue)]
            }
        }
        return bytes
    }

    /// What ffmpeg makes of a picture.
    private func ffmpeg(
        _ bytes: [UInt8],
        _ from: String,
        _ to: String,
        _ size: (Int, Int),
        _ filter: String
    ) throws -> [UInt8] {
        let folder = try TemporaryFile.folder()
        defer { TemporaryFile.remove(folder) }
        let (input, output) = (folder + "/in", folder + "/out")
        try TemporaryFile.write(bytes, input)
        let command =
            "ffmpeg -v error -y -f rawvideo -pix_fmt \(from) -s \(size.0)x\(size.1) -i \(input) -vf '\(filter)'"
            + " -f rawvideo -pix_fmt \(to) \(output) 2>&1"
        #expect(system(command) == 0, "\(command)")
        return try TemporaryFile.read(output)
    }

    /// The bytes of rows without padding, plane after plane: as ffmpeg's raw video has them.
    private func rows(_ bytes: [UInt8], _ layout: ImageLayout) -> [UInt8] {
        layout.planes.indices.flatMap { index -> [UInt8] in
            let (plane, count) = (layout.planes[index], layout.rowBytes(plane: index) ?? 0)
            return (0..<(layout.rows(plane: index) ?? 0)).flatMap { row in
                bytes[(plane.offset + row * plane.stride)..<(plane.offset + row * plane.stride + count)]
            }
        }
    }

    /// Memory of a layout with the pixels that `rows` has.
    private func filled(_ rows: [UInt8], _ layout: ImageLayout) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: layout.bufferSize(0))
        var place = 0
        for index in layout.planes.indices {
            let (plane, count) = (layout.planes[index], layout.rowBytes(plane: index) ?? 0)
            for row in 0..<(layout.rows(plane: index) ?? 0) {
                bytes.replaceSubrange(
                    (plane.offset + row * plane.stride)..<(plane.offset + row * plane.stride + count),
                    with: rows[place..<(place + count)]
                )
                place += count
            }
        }
        return bytes
    }

    private func convert(
        _ bytes: [UInt8],
        _ layout: ImageLayout,
        _ wish: Wish,
        onlySwscale: Bool = false
    ) throws -> [UInt8] {
        let converter = try FrameConverter(of: layout, wish, onlySwscale: onlySwscale)
        // What may be written to behind the last pixel, and what may not.
        var out = [UInt8](repeating: 0xEE, count: converter.plan.output.bufferSize(0) + ConversionPlan.slack + 64)
        let isThere = try bytes.withUnsafeBytes { source in
            try out.withUnsafeMutableBytes { try converter.convert(bytes: source, into: $0) }
        }
        #expect(isThere)
        #expect(out.suffix(64).allSatisfy { $0 == 0xEE }, "it wrote beyond the slot's end")
        return rows(out, converter.plan.output)
    }

    /// How far samples of 8 bits are apart: on average, and the largest.
    private func difference(_ a: [UInt8], _ b: [UInt8]) -> (mean: Double, most: Int) {
        guard a.count == b.count, !a.isEmpty else { return (.infinity, 256) }
        var (sum, most) = (0, 0)
        for (x, y) in zip(a, b) {
            let d = abs(Int(x) - Int(y))
            sum += d
            most = max(most, d)
        }
        return (Double(sum) / Double(a.count), most)
    }

    /// - Returns: the picture in the format, made by ffmpeg
    private func original(_ name: String) throws -> [UInt8] {
        try ffmpeg(
            Self.picture(Self.width, Self.height),
            "rgb24",
            name,
            (Self.width, Self.height),
            "scale=flags=accurate_rnd"
        )
    }

    @Test("Each format becomes red, green and blue as ffmpeg makes it, smaller and of an odd size", arguments: names)
    func fromEach(format: PixelFormat, name: String) throws {
        let layout = try ImageLayout.computed(width: Self.width, height: Self.height, format: format)
        let rows = try original(name)
        let isGrey = format.info?.colorModel == .grey
        let expected = try ffmpeg(
            rows,
            name,
            isGrey ? "gray" : "rgb24",
            (Self.width, Self.height),
            "scale=33:21:flags=area"
        )
        for onlySwscale in [false, true] {
            let got = try convert(
                filled(rows, layout),
                layout,
                isGrey ? .grey(33, 21) : .rgb(33, 21),
                onlySwscale: onlySwscale
            )
            let (mean, most) = difference(got, expected)
            // libyuv takes whole pixels for the mean, so that of an odd size lies up to half a pixel beside it: 4 of 255 here.
            #expect(
                mean < (onlySwscale ? 2.5 : 5),
                "\(format), \(onlySwscale ? "libswscale" : "the faster"): \(mean), \(most)"
            )
        }
    }

    @Test("Red, green and blue become each format that can be wished for as ffmpeg makes it", arguments: Wish.formats)
    func toEach(format: PixelFormat) throws {
        // Planes whose V comes first are those of the format with U first.
        let swapped: [PixelFormat: PixelFormat] = [.yvu420: .yuv420, .yvu422: .yuv422, .yvu444: .yuv444]
        let known = swapped[format] ?? format
        let name = try #require(Self.names.first { $0.0 == known }?.1)
        let layout = try ImageLayout.computed(width: Self.width, height: Self.height, format: .bgr888)
        let picture = Self.picture(Self.width, Self.height)
        var got = try convert(picture, layout, Wish(width: 33, height: 21, format: format))
        let expected = try ffmpeg(picture, "rgb24", name, (Self.width, Self.height), "scale=33:21:flags=area")
        if known != format {
            let luma = 33 * 21
            let chroma = (got.count - luma) / 2
            got = Array(got[..<luma] + got[(luma + chroma)...] + got[luma..<(luma + chroma)])
        }
        if [.xrgb8888, .xbgr8888, .rgbx8888, .bgrx8888].contains(format) {
            return try expectColors(got, expected, format)
        }
        // Of RGB565 a byte has parts of two colours.
        let (mean, most) = difference(got, expected)
        #expect(mean < (format == .rgb565 ? 6 : 2.5), "\(format): \(mean), \(most)")
    }

    /// The byte that means nothing may be anything.
    private func expectColors(_ got: [UInt8], _ expected: [UInt8], _ format: PixelFormat) throws {
        let unused = try #require(format.info?.planes[0].components.firstIndex(of: .x))
        func colors(_ bytes: [UInt8]) -> [UInt8] { bytes.indices.filter { $0 % 4 != unused }.map { bytes[$0] } }
        #expect(difference(colors(got), colors(expected)).mean < 2.5)
    }

    @Test(
        "Turned and mirrored pixels are those of the original",
        arguments: Wish.Rotation.allCases,
        [PixelFormat.rgb888, .r8, .yuv420, .nv12, .yuyv, .rgb565, .xbgr8888]
    )
    func turns(rotation: Wish.Rotation, format: PixelFormat) throws {
        // At odd edges libswscale takes chroma from beyond the picture.
        let isWhole = [PixelFormat.rgb888, .r8, .xbgr8888].contains(format)
        let (width, height) = isWhole ? (Self.width, Self.height) : (Self.width + 1, Self.height + 1)
        let layout = try ImageLayout.computed(width: width, height: height, format: .bgr888)
        for mirror in [false, true] {
            let wish = Wish(format: format, rotation: rotation, mirror: mirror)
            let rows = try convert(Self.picture(width, height), layout, wish)
            let output = try ConversionPlan(of: layout, wish).output
            let (columns, lines) = rotation.swapsSides ? (height, width) : (width, height)
            #expect((output.width, output.height) == (columns, lines))
            // Back to colours, by the code that makes pictures.
            let told = try ImageLayout.computed(
                width: columns,
                height: lines,
                format: format,
                colorSpace: output.colorSpace
            )
            let isGrey = format == .r8
            let colors = try convert(filled(rows, told), told, isGrey ? .grey(columns, lines) : .rgb(columns, lines))
            var worst = 0
            for y in 0..<lines {
                for x in 0..<columns {
                    let u = mirror ? columns - 1 - x : x
                    let (sx, sy) =
                        switch rotation {
                        case .none: (u, y)
                        case .quarter: (y, height - 1 - u)
                        case .half: (width - 1 - u, height - 1 - y)
                        case .threeQuarters: (width - 1 - y, u)
                        }
                    let (r, g) = (sx * 255 / (width - 1), sy * 255 / (height - 1))
                    let b = (sx + sy) * 255 / (width + height - 2)
                    if isGrey {
                        worst = max(worst, abs((299 * r + 587 * g + 114 * b) / 1000 - Int(colors[y * columns + x])))
                    } else {
                        let at = 3 * (y * columns + x)
                        worst = max(
                            worst,
                            abs(r - Int(colors[at])),
                            abs(g - Int(colors[at + 1])),
                            abs(b - Int(colors[at + 2]))
                        )
                    }
                }
            }
            #expect(worst <= (isWhole ? 3 : 20), "\(rotation) \(mirror): \(worst)")
        }
    }

    @Test("Chroma in pairs is the same as in planes", arguments: [PixelFormat.nv16, .nv61])
    func pairs(format: PixelFormat) throws {
        let planar = try ImageLayout.computed(width: Self.width, height: Self.height, format: .yuv422)
        let rows = try original("yuv422p")
        let (luma, count) = (Self.width * Self.height, (Self.width + 1) / 2 * Self.height)
        var paired = Array(rows[..<luma])
        for index in 0..<count {
            let (u, v) = (rows[luma + index], rows[luma + count + index])
            paired += format == .nv16 ? [u, v] : [v, u]
        }
        let layout = try ImageLayout.computed(width: Self.width, height: Self.height, format: format)
        #expect(
            try convert(filled(paired, layout), layout, .rgb(33, 21))
                == convert(filled(rows, planar), planar, .rgb(33, 21))
        )
    }

    @Test("Limited and full range, Rec. 601 and 709: the numbers mean what the layouts say")
    func colors() throws {
        for (encoding, range, kr, kb) in [
            (ColorSpace.Encoding.rec601, ColorSpace.Range.limited, 0.299, 0.114), (.rec601, .full, 0.299, 0.114),
            (.rec709, .limited, 0.2126, 0.0722), (.rec709, .full, 0.2126, 0.0722), (.rec2020, .limited, 0.2627, 0.0593),
        ] {
            let space = ColorSpace(primaries: .rec709, transfer: .rec709, encoding: encoding, range: range)
            let layout = try ImageLayout.computed(width: 16, height: 16, format: .yuv420, colorSpace: space)
            for color in [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 160, 40)] {
                let (r, g, b) = (Double(color.0) / 255, Double(color.1) / 255, Double(color.2) / 255)
                let y = kr * r + (1 - kr - kb) * g + kb * b
                let (u, v) = ((b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr)))
                let isFull = range == .full
                let samples = [
                    isFull ? 255 * y : 16 + 219 * y, 128 + (isFull ? 255 : 224) * u, 128 + (isFull ? 255 : 224) * v,
                ]
                .map { UInt8(min(255, max(0, $0.rounded()))) }
                let bytes =
                    [UInt8](repeating: samples[0], count: 256) + .init(repeating: samples[1], count: 64)
                    + .init(repeating: samples[2], count: 64)
                for onlySwscale in [false, true] {
                    let got = try convert(bytes, layout, .rgb(16, 16), onlySwscale: onlySwscale)
                    let error = max(abs(Int(got[0]) - color.0), abs(Int(got[1]) - color.1), abs(Int(got[2]) - color.2))
                    #expect(error <= 4, "\(encoding) \(range) \(color): \(got.prefix(3))")
                }
            }
        }
    }

    @Test(
        "MJPEG of each sampling, whole and at a part of its size, is what its pixels were",
        arguments: ["444", "422", "420"]
    )
    func jpeg(sampling: String) throws {
        let (width, height) = (131, 95)
        let folder = try TemporaryFile.folder()
        defer { TemporaryFile.remove(folder) }
        try TemporaryFile.write(Self.picture(width, height), folder + "/in")
        let command =
            "ffmpeg -v error -y -f rawvideo -pix_fmt rgb24 -s \(width)x\(height) -i \(folder)/in -pix_fmt yuvj\(sampling)p"
        #expect(system(command + " -c:v mjpeg -q:v 2 -f mjpeg \(folder)/out.jpg 2>&1") == 0)
        let data = try TemporaryFile.read(folder + "/out.jpg")
        let layout = try ImageLayout.opaque(width: width, height: height, format: .mjpeg, capacity: 1 << 20)
        for (w, h, crop) in [
            (131, 95, nil), (60, 40, nil), (20, 15, nil), (30, 20, Crop(x: 16, y: 8, width: 64, height: 48)),
        ] {
            let wish = Wish(width: w, height: h, format: .rgbBytes, crop: crop)
            let got = try convert(data, layout, wish)
            let part = crop ?? Crop(width: width, height: height)
            let expected = try ffmpeg(
                Self.picture(width, height),
                "rgb24",
                "rgb24",
                (width, height),
                "crop=\(part.width):\(part.height):\(part.x):\(part.y),scale=\(w):\(h):flags=area"
            )
            let (mean, _) = difference(got, expected)
            // From one pixel to the next it is up to 13: half a pixel beside it is 6.
            #expect(mean < 8, "\(w)x\(h): \(mean)")
        }
        // Cut off in its middle, and no image at all.
        #expect(throws: ConversionError.self) { try convert(Array(data.prefix(20)), layout, .rgb(8, 8)) }
        #expect(throws: ConversionError.self) { try convert([1, 2, 3, 4], layout, .rgb(8, 8)) }
    }
}

/// Files of a test.
enum TemporaryFile {
    static func folder() throws -> String {
        var template = Array("/tmp/fs-conversion-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func remove(_ folder: String) { _ = system("rm -r '\(folder)'") }

    static func write(_ bytes: [UInt8], _ path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }

    static func read(_ path: String) throws -> [UInt8] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        fseek(file, 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: ftell(file))
        rewind(file)
        try #require(fread(&bytes, 1, bytes.count, file) == bytes.count)
        return bytes
    }
}
#endif
