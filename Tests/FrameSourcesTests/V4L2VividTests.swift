import FrameMemory
import FrameShare
import Glibc
import PixelFormats
import SystemPackage
import Testing

@testable import FrameSources

extension VividTests {
    @Suite("V4L2 camera")
    struct Camera {
        @Test("the camera is listed with its driver and place")
        func list() throws {
            let info = try #require(V4L2Device.list().cameras.first { $0.driver == "vivid" })
            #expect(info.bus.hasPrefix("platform:vivid"))
            #expect(info.isCamera)
            #expect(V4L2Device.find(sameAs: info) == info)
        }

        @Test("formats, sizes and rates are what the driver offers")
        func formats() throws {
            let device = try Vivid.device()
            let formats = try device.formats()
            let yuyv = try #require(formats.first { $0.format == .yuyv })
            guard case .discrete(let sizes) = try device.sizes(of: yuyv.code) else {
                Issue.record("the webcam input has discrete sizes")
                return
            }
            #expect(sizes.contains(V4L2Size(width: 640, height: 480)))
            let thirty = try #require(V4L2Interval(framesPerSecond: 30))
            switch try device.intervals(of: yuyv.code, size: V4L2Size(width: 640, height: 480)) {
            case .discrete(let intervals): #expect(intervals.contains { $0.isSame(as: thirty) })
            case .range(let shortest, let longest): #expect(shortest < thirty && thirty < longest)
            case .unknown: Issue.record("vivid lists its intervals")
            }
            #expect(try device.inputs().first?.hasPrefix("Webcam") == true)
            #expect(try device.input() == 0)
        }

        @Test(
            "every pixel is the same whoever made the memory",
            arguments: ["YUYV", "NV12", "RGB3", "NM12", "YM12"],
            [V4L2Size(width: 640, height: 480), V4L2Size(width: 1280, height: 720)]
        )
        func samePixels(format: String, size: V4L2Size) throws {
            guard let device = try? Vivid.device(), let code = FourCC(format),
                try device.formats().contains(where: { $0.code == code })
            else { return }
            var reference: [UInt8] = []
            for memory in Vivid.memories {
                var configuration = Vivid.still(size: size, memory: memory)
                let isKnown = configuration.setFormat(named: format)
                #expect(isKnown)
                let camera = try V4L2Camera(device: device, configuration: configuration)
                defer { try? camera.release() }
                #expect(camera.setup.code == code)
                #expect(camera.setup.layout.width == size.width && camera.setup.layout.height == size.height)
                if memory == .driver { #expect(camera.setup.writeProtection == .readOnlyExport) }
                try camera.start()
                for _ in 0..<3 {
                    let frame = try #require(try camera.nextFrame(timeout: .seconds(120)))
                    let pixels = try Vivid.pixels(of: frame, camera)
                    if reference.isEmpty { reference = pixels }
                    let isSame = pixels.count == reference.count && memcmp(pixels, reference, pixels.count) == 0
                    #expect(isSame, "\(format) \(size) in \(memory), frame \(frame.sequence)")
                    try camera.queue(frame.buffer)
                }
            }
            let hasBars = reference.contains { $0 != reference[0] }
            #expect(hasBars)
        }

        @Test("the driver's own buffers can't be mapped for writing")
        func readOnly() throws {
            let camera = try V4L2Camera(device: Vivid.device(), configuration: Vivid.still())
            defer { try? camera.release() }
            let buffer = try #require(camera.buffers.first?.first)
            #expect(throws: MemoryError.self) {
                try Mapping(descriptor: buffer.descriptor, size: buffer.size, access: .readWrite)
            }
            let again = open("/proc/self/fd/\(buffer.descriptor)", O_RDWR)
            #expect(again < 0)
            if again >= 0 { close(again) }
        }

        @Test("what was exported stays readable when the camera is set up anew")
        func orphanedBuffers() throws {
            let device = try Vivid.device()
            let old = try V4L2Camera(device: device, configuration: Vivid.still())
            try old.start()
            let frame = try #require(try old.nextFrame(timeout: .seconds(120)))
            let before = try Vivid.pixels(of: frame, old)
            try old.release()
            let new = try V4L2Camera(
                device: device,
                configuration: Vivid.still(size: V4L2Size(width: 1280, height: 720))
            )
            defer { try? new.release() }
            try new.start()
            _ = try new.nextFrame(timeout: .seconds(120))
            #expect(try Vivid.pixels(of: frame, old) == before)
        }

        @Test("timestamps are of the monotonic clock and planes are full")
        func timestamps() throws {
            let camera = try V4L2Camera(device: Vivid.device(), configuration: Vivid.still())
            defer { try? camera.release() }
            try camera.start()
            let first = try #require(try camera.nextFrame(timeout: .seconds(120)))
            let second = try #require(try camera.nextFrame(timeout: .seconds(120)))
            let (a, b) = (try #require(first.timestamp), try #require(second.timestamp))
            #expect(a.clock == .monotonic)
            #expect(a < b)
            #expect(second.sequence == first.sequence + UInt64(second.lost) + 1)
            for (index, plane) in camera.setup.layout.planes.enumerated() {
                #expect(first.bytesUsed(plane: index) == plane.size)
            }
            #expect(camera.queuedCount == camera.setup.slots - 2)
        }

        @Test("a driver without buffers is named as the cause of the gap")
        func starvation() throws {
            let camera = try V4L2Camera(device: Vivid.device(), configuration: Vivid.still(slots: 2))
            defer { try? camera.release() }
            try camera.start()
            let first = try #require(try camera.nextFrame(timeout: .seconds(120)))
            let second = try #require(try camera.nextFrame(timeout: .seconds(120)))
            #expect(camera.queuedCount == 0)
            // Time for the driver to lose some.
            usleep(300_000)
            try camera.queue(first.buffer)
            try camera.queue(second.buffer)
            let third = try #require(try camera.nextFrame(timeout: .seconds(120)))
            #expect(third.lost > 0)
            #expect(third.starved)
        }

        @Test("what the driver adjusts is told, or refused where it must be exact")
        func adjustments() throws {
            let device = try Vivid.device()
            var configuration = Vivid.still(size: V4L2Size(width: 650, height: 490))
            let camera = try V4L2Camera(device: device, configuration: configuration)
            try camera.release()
            #expect(camera.setup.adjustments.map(\.what) == ["size"])
            #expect(camera.setup.adjustments.first?.asked == "650x490")
            configuration.exact = true
            #expect(throws: V4L2Error.adjusted(path: device.path, camera.setup.adjustments)) {
                try V4L2Camera(device: device, configuration: configuration)
            }
            // The refusal has left nothing behind.
            try V4L2Camera(device: device, configuration: Vivid.still()).release()
        }

        @Test("a format that isn't offered is refused, with what is")
        func unknownFormat() throws {
            var configuration = Vivid.still()
            configuration.format = .h264
            configuration.code = nil
            let error = #expect(throws: V4L2Error.self) {
                try V4L2Camera(device: Vivid.device(), configuration: configuration)
            }
            guard case .formatNotOffered(_, .h264, let offered) = try #require(error) else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(offered.contains(.yuyv))
        }

        @Test("a memfd can't be imported, and says so")
        func memfd() throws {
            let error = #expect(throws: V4L2Error.self) {
                try V4L2Camera(device: Vivid.device(), configuration: Vivid.still(memory: .imported(.memfd)))
            }
            guard case .notADMABuffer = try #require(error) else {
                Issue.record("\(String(describing: error))")
                return
            }
        }

        @Test("a device that streams for someone else is busy")
        func busy() throws {
            let camera = try V4L2Camera(device: Vivid.device(), configuration: Vivid.still())
            defer { try? camera.release() }
            try camera.start()
            let error = #expect(throws: V4L2Error.self) {
                try V4L2Camera(
                    device: Vivid.device(),
                    configuration: Vivid.still(size: V4L2Size(width: 1280, height: 720))
                )
            }
            guard case .busy = try #require(error) else {
                Issue.record("\(String(describing: error))")
                return
            }
            // The one who streams has lost nothing by it.
            #expect(try camera.nextFrame(timeout: .seconds(120)) != nil)
        }

        @Test("controls are found by either name, set, read back and kept in range")
        func controls() throws {
            let device = try Vivid.device()
            let control = try device.control(named: "Brightness")
            #expect(try device.control(named: "brightness") == control)
            #expect(try device.set(control, to: 77) == 77)
            #expect(try device.value(of: control) == 77)
            #expect(try device.setControl("brightness", to: "128") == 128)
            #expect(try device.setControl("Menu", to: "menu item 4") == 4)
            #expect(try device.setControl("boolean", to: "off") == false)
            #expect(try device.setControl("string", to: "abcd") == "abcd")
            #expect(try device.value(of: device.control(named: "string")) == "abcd")
            #expect(try device.setControl("integer_64_bits", to: .integer(.min)) == .integer(.min))
            #expect(try device.setControl("bitmask", to: 0x8000_0000) == 0x8000_0000)
            for (name, value) in [
                ("brightness", V4L2ControlValue.integer(256)), ("menu", 2), ("bitmask", 1), ("string", "a"),
            ] {
                let error = #expect(throws: V4L2Error.self) { try device.setControl(name, to: value) }
                guard case .badControlValue = error else {
                    Issue.record("\(name): \(String(describing: error))")
                    continue
                }
            }
            #expect(
                throws: V4L2Error.controlNotAvailable(
                    path: device.path,
                    name: "Read-Only Integer 32 Bits",
                    reason: "is read-only"
                )
            ) { try device.setControl("read_only_integer_32_bits", to: 1) }
            let error = #expect(throws: V4L2Error.self) { try device.control(named: "no such thing") }
            guard case .noSuchControl(_, _, let known) = try #require(error) else { return }
            #expect(known.contains("brightness"))
        }

        @Test("a damaged frame is marked")
        func errorFlag() throws {
            let camera = try V4L2Camera(device: Vivid.device(), configuration: Vivid.still())
            defer { try? camera.release() }
            try camera.start()
            try camera.device.setControl("inject_v4l2_buf_flag_error", to: true)
            var damaged = 0
            for _ in 0..<10 {
                let frame = try #require(try camera.nextFrame(timeout: .seconds(120)))
                if frame.flags.contains(.error) { damaged += 1 }
                try camera.queue(frame.buffer)
            }
            #expect(damaged == 1)
        }

        @Test("a driver that gives up is an error, not a wait for ever")
        func fatalError() throws {
            let camera = try V4L2Camera(device: Vivid.device(), configuration: Vivid.still())
            defer { try? camera.release() }
            try camera.start()
            try camera.device.setControl("inject_fatal_streaming_error", to: true)
            let error = #expect(throws: V4L2Error.self) {
                try Vivid.pump(camera, frames: 100)
            }
            #expect(error == .streamFailed(path: camera.device.path, call: "VIDIOC_DQBUF", .ioError))
        }

        @Test(
            "a driver's refusal to begin leaves nothing behind",
            arguments: ["inject_vidioc_reqbufs_error", "inject_vidioc_streamon_error"]
        )
        func refusals(control: String) throws {
            let device = try Vivid.device()
            try device.setControl(control, to: true)
            #expect(throws: V4L2Error.self) {
                let camera = try V4L2Camera(device: device, configuration: Vivid.still())
                defer { try? camera.release() }
                try camera.start()
            }
            let camera = try V4L2Camera(device: device, configuration: Vivid.still())
            defer { try? camera.release() }
            try camera.start()
            #expect(try camera.nextFrame(timeout: .seconds(120)) != nil)
        }

        @Test("a source's new resolution is told, and taken over by a new set-up")
        func sourceChange() throws {
            let device = try Vivid.device()
            let inputs = try device.inputs()
            let hdmi = try #require(inputs.firstIndex { $0.hasPrefix("HDMI") })
            defer {
                _ = try? device.setControl("dv_timings_signal_mode", to: 0)
                try? device.setInput(0)
            }
            var configuration = V4L2CameraConfiguration(format: .yuyv, slots: 4)
            configuration.input = hdmi
            try device.setInput(hdmi)
            try device.setControl("dv_timings", to: "1280x720p30")
            try device.setControl("dv_timings_signal_mode", to: "Selected DV Timings")
            let old = try V4L2Camera(device: device, configuration: configuration)
            #expect(old.setup.layout.width == 1280)
            try old.start()
            _ = try #require(try old.nextFrame(timeout: .seconds(120)))
            try device.setControl("dv_timings", to: "720x480p59")
            #expect(throws: V4L2Error.sourceChanged(path: device.path)) {
                try Vivid.pump(old, frames: 300)
            }
            try old.release()
            let new = try V4L2Camera(device: device, configuration: configuration)
            defer { try? new.release() }
            #expect(new.setup.layout.width == 720)
            #expect(new.setup.layout.height == 480)
        }
    }
}
