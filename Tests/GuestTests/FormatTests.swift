import CommandTesting
import Foundation
import FrameShare
import FrameSources
import Glibc
import Testing

extension RealDrivers {
    @Suite("Every format of vivid")
    struct Formats {
        private func camera(_ device: V4L2Device, _ name: String) throws -> V4L2Camera {
            var configuration = V4L2CameraConfiguration(size: V4L2Size(width: 320, height: 180), slots: 2)
            let isKnown = configuration.setFormat(named: name)
            #expect(isKnown)
            return try V4L2Camera(device: device, configuration: configuration)
        }

        @Test("what 'cameras' lists is what --format takes, or is refused there too", arguments: [false, true])
        func listed(multiPlanar: Bool) throws {
            let folder = try ChannelFolder()
            let path = try Guest.vivid(multiPlanar: multiPlanar)
            let listed = try Document(try frameshare("cameras", path, "--json", in: folder).output).elements[0][
                "formats"
            ]
            let device = try V4L2Device(path: path)
            let offered = try device.formats()
            let codes = try listed.elements.map { try $0["code"].text }
            #expect(codes == offered.map { "\($0.code)" })
            #expect(offered.count > 60)
            var refused: [String] = []
            for (entry, format) in zip(try listed.elements, offered) {
                do {
                    let camera = try self.camera(device, try entry["code"].text)
                    defer { try? camera.release() }
                    #expect(camera.setup.code == format.code)
                    let refusal = try? entry["refused"].text
                    #expect(refusal == nil)
                    // A whole frame passes for one.
                    try camera.start()
                    guard let frame = try camera.nextFrame(timeout: .seconds(60)) else {
                        Issue.record("\(format) gives no frame")
                        continue
                    }
                    #expect(camera.setup.layout.damage { frame.bytesUsed(plane: $0) } == nil, "\(format)")
                } catch let error as V4L2Error {
                    let refusal = try? entry["refused"].text
                    #expect(refusal == error.description, "\(format): \(error)")
                    refused.append("\(format.code)")
                }
            }
            #expect(refused.allSatisfy { $0 == "BGRH" }, "\(refused)")
        }

        @Test("red is red and blue is blue in every format that is known", arguments: [false, true])
        func colors(multiPlanar: Bool) throws {
            let device = try V4L2Device(path: try Guest.vivid(multiPlanar: multiPlanar))
            let pattern = try device.control(named: "test_pattern")
            let before = try device.value(of: pattern)
            let text = try device.control(named: "osd_text_mode")
            let textBefore = try device.value(of: text)
            defer {
                _ = try? device.set(pattern, to: before)
                _ = try? device.set(text, to: textBefore)
            }
            try device.set(text, to: "None")
            var seen = 0
            for (name, isRed) in [("100% Red", true), ("100% Blue", false)] {
                try device.set(pattern, to: .text(name))
                for format in try device.formats() {
                    guard let info = format.format?.info, info.bitDepth == 8, info.packing == .none else { continue }
                    guard info.colorModel == .rgb || info.colorModel == .yuv else { continue }
                    let values = try components(of: camera(device, "\(format.code)"), info)
                    if info.colorModel == .rgb {
                        let (high, low) = isRed ? (values[.r], values[.b]) : (values[.b], values[.r])
                        #expect(high ?? 0 > 200 && low ?? 255 < 60 && values[.g] ?? 255 < 60, "\(format): \(values)")
                    } else {
                        let (high, low) = isRed ? (values[.v], values[.u]) : (values[.u], values[.v])
                        #expect(high ?? 0 > 200 && low ?? 255 < 150, "\(format): \(values)")
                        #expect(values[.y] ?? 255 < 110, "\(format): \(values)")
                    }
                    seen += 1
                }
            }
            #expect(seen > 30)
        }

        /// The components in the middle of a frame.
        private func components(of camera: V4L2Camera, _ info: PixelFormatInfo) throws -> [Component: UInt8] {
            defer { try? camera.release() }
            try camera.start()
            // The first frame may be from before the pattern was set.
            var frame = try #require(try camera.nextFrame(timeout: .seconds(60)))
            try camera.queue(frame.buffer)
            frame = try #require(try camera.nextFrame(timeout: .seconds(60)))
            var values: [Component: UInt8] = [:]
            for (plane, place) in zip(info.planes, camera.setup.layout.planes) {
                let mapping = try camera.buffers[frame.buffer][place.buffer].map(.read)
                let row = place.size / place.stride / 2
                let column = 160 / plane.horizontalSubsampling / plane.pixelsPerGroup
                mapping.withBytes { bytes in
                    for (index, component) in plane.components.enumerated() {
                        values[component] =
                            bytes[
                                place.offset + row * place.stride + column * plane.bytesPerGroup + index
                            ]
                    }
                }
            }
            return values
        }
    }
}
