import FrameShare
import PixelFormats
import Testing

@testable import FrameConversion

/// What is done with an image, planned without one.
@Suite("Plans of conversion")
struct ConversionPlanTests {
    private func layout(_ width: Int, _ height: Int, _ format: PixelFormat) throws -> ImageLayout {
        format.isCompressed
            ? try .opaque(width: width, height: height, format: format, capacity: width * height * 2)
            : try .computed(width: width, height: height, format: format)
    }

    @Test("MJPEG is decoded at the smallest size that holds what is wanted")
    func jpeg() throws {
        let camera = try layout(1920, 1080, .mjpeg)
        let cases: [(Wish, Int)] = [
            (.rgb(640, 360), 2), (.rgb(480, 270), 4), (.rgb(1920, 1080), 1), (.rgb(961, 540), 1), (.rgb(240, 135), 8),
            (Wish(width: 360, height: 640, rotation: .quarter), 2),
            (Wish(width: 100, crop: Crop(x: 8, y: 16, width: 800, height: 800)), 8),
            (Wish(width: 100, crop: Crop(x: 9, y: 16, width: 800, height: 800)), 1),
        ]
        for (wish, divisor) in cases {
            #expect(try ConversionPlan(of: camera, wish).steps.first == .decodeJPEG(dividedBy: divisor), "\(wish)")
        }
    }

    @Test("The result is as wished, in numbers that mean what its layout says")
    func output() throws {
        let camera = try layout(641, 481, .yuyv)
        let plan = try ConversionPlan(of: camera, Wish(width: 320, format: .rgb888))
        #expect((plan.output.width, plan.output.height) == (320, 240))
        #expect(plan.output.colorSpace.encoding == .none && plan.output.colorSpace.range == .full)
        let grey = try ConversionPlan(of: camera, .grey(33, 7))
        #expect(grey.output.format == .r8 && grey.output.colorSpace.range == .full)
        let planes = try ConversionPlan(of: try layout(64, 48, .bgr888), Wish(format: .nv12))
        #expect(planes.output.colorSpace.encoding == .rec601 && planes.output.colorSpace.range == .limited)
        let jpeg = try ConversionPlan(of: try layout(64, 48, .mjpeg), Wish(format: .yuv420))
        #expect(jpeg.output.colorSpace.range == .full)
        for format in Wish.formats {
            let plan = try ConversionPlan(of: camera, Wish(width: 161, height: 91, format: format, rotation: .quarter))
            try plan.output.validate()
            #expect(plan.steps.contains { if case .turn = $0 { true } else { false } })
        }
    }

    @Test("Every format of the table has a plan, or is refused in words")
    func formats() throws {
        for format in PixelFormat.all where !format.isCompressed {
            guard let layout = try? ImageLayout.computed(width: 65, height: 33, format: format) else { continue }
            do throws(ConversionError) {
                let plan = try ConversionPlan(of: layout, .rgb(32, 16))
                #expect(plan.output.format == .rgbBytes)
            } catch {
                #expect(error == .unknown(format) && format.name.contains("PISP"), "\(format): \(error)")
            }
        }
        let unknown = try ImageLayout.opaque(
            width: 64,
            height: 48,
            format: PixelFormat(fourcc: FourCC(rawValue: 0x3132_3334)),
            capacity: 9
        )
        #expect(throws: ConversionError.unknown(unknown.format)) { try ConversionPlan(of: unknown, .rgb(8, 8)) }
    }

    @Test("Boxes map back to where they lie in the original", arguments: Wish.Rotation.allCases, [false, true])
    func place(rotation: Wish.Rotation, mirror: Bool) throws {
        let crop = Crop(x: 100, y: 40, width: 400, height: 200)
        let wish = Wish(width: 80, height: 100, crop: crop, rotation: rotation, mirror: mirror)
        let place = try ConversionPlan(of: try layout(640, 480, .yuv420), wish).place
        // All of the result is all of the rectangle.
        let all = place.original(x: 0, y: 0, width: 80, height: 100)
        #expect(abs(all.x - 100) < 1e-9 && abs(all.y - 40) < 1e-9)
        #expect(abs(all.width - 400) < 1e-9 && abs(all.height - 200) < 1e-9)
        // The corner of the original that is upper left in the result.
        let corner = place.original(x: 0, y: 0)
        let (left, top) =
            switch (rotation, mirror) {
            case (.none, false), (.quarter, true): (true, true)
            case (.none, true), (.threeQuarters, false): (false, true)
            case (.quarter, false), (.half, true): (true, false)
            case (.half, false), (.threeQuarters, true): (false, false)
            }
        #expect(abs(corner.x - (left ? 100 : 500)) < 1e-9 && abs(corner.y - (top ? 40 : 240)) < 1e-9, "\(corner)")
    }

    @Test("A wish that nobody can fulfil is refused in words")
    func refused() throws {
        let camera = try layout(640, 480, .yuv420)
        let bad: [(Wish, String)] = [
            (Wish(width: 0, height: 0), "0x0"), (Wish(width: 100_000, height: 1), "100000x1"),
            (Wish(width: -4), "-4xany"), (Wish(width: 16_384, height: 16_384), "16384x16384"),
            (Wish(format: .mjpeg), "MJPEG"), (Wish(format: .r10), "R10"), (Wish(rate: 0), "a rate of 0"),
            (Wish(rate: .nan), "a rate of nan"), (Wish(rate: 1e9), "a rate of 1"),
            (Wish(crop: Crop(x: 600, y: 0, width: 100, height: 10)), "does not lie inside"),
            (Wish(crop: Crop(width: 0, height: 10)), "can't be cut out"),
            (Wish(width: 16_384, crop: Crop(width: 1, height: 480)), "can't be wished for"),
        ]
        for (wish, words) in bad {
            #expect {
                _ = try ConversionPlan(of: camera, wish)
            } throws: {
                "\($0)".contains(words)
            }
        }
    }

    @Test("The same wish has the same words, another one others")
    func words() {
        #expect("\(Wish.rgb(640, 360))" == "640x360-BGR888")
        let wish = Wish(
            width: 640,
            format: .yuv420,
            rate: 9.999_999_999_9,
            crop: Crop(x: 1, y: 2, width: 3, height: 4),
            rotation: .half,
            mirror: true,
            filter: .nearest
        )
        #expect("\(wish)" == "640x-YUV420-10fps-crop3x4+1+2-rot180-mirror-nearest")
        #expect("\(Wish(rate: 29.97))" == "33366700ns")
        #expect("\(Wish())" == "as-it-is")
    }
}
