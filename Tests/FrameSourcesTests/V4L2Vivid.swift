import FrameMemory
import FrameSources
import Glibc
import PixelFormats
import Testing

/// With the kernel's virtual camera (`modprobe vivid`), as the guest of Tests/Guest has it. There is one, so one test after
/// the other.
@Suite("V4L2 with the vivid driver", .serialized, .enabled(if: Vivid.path != nil, "needs the vivid driver"))
enum VividTests {}

/// The virtual camera that the kernel's vivid module makes.
enum Vivid {
    /// Its device file, nil on a machine without it.
    static let path = V4L2Device.list().cameras.first { $0.driver == "vivid" }?.path

    static func device() throws(V4L2Error) -> V4L2Device {
        try V4L2Device(path: path ?? "/dev/video0")
    }

    /// The memories that this machine can have.
    static let memories: [V4L2Memory] = {
        var memories: [V4L2Memory] = [.driver]
        if access("/dev/dma_heap/system", R_OK) == 0 { memories.append(.imported(.dmaHeap("system"))) }
        if access("/dev/udmabuf", R_OK | W_OK) == 0 { memories.append(.imported(.udmabuf)) }
        return memories
    }()

    /// A picture in which nothing moves.
    static func still(
        size: V4L2Size = V4L2Size(width: 640, height: 480),
        slots: Int = 4,
        memory: V4L2Memory = .driver
    ) -> V4L2CameraConfiguration {
        var configuration = V4L2CameraConfiguration(
            size: size,
            format: .yuyv,
            framesPerSecond: 30,
            slots: slots,
            memory: memory,
            controls: [
                V4L2ControlSetting("test_pattern", "75% Colorbar"), V4L2ControlSetting("osd_text_mode", "None"),
            ]
        )
        configuration.input = 0
        return configuration
    }

    /// Takes frames and queues them again.
    static func pump(_ camera: V4L2Camera, frames: Int) throws(V4L2Error) {
        for _ in 0..<frames {
            guard let frame = try camera.nextFrame(timeout: .seconds(120)) else { return }
            try camera.queue(frame.buffer)
        }
    }

    /// The pixels of a frame, row by row, without padding.
    static func pixels(of frame: V4L2Frame, _ camera: V4L2Camera) throws -> [UInt8] {
        let layout = camera.setup.layout
        var pixels: [UInt8] = []
        for (index, plane) in layout.planes.enumerated() {
            let buffer = camera.buffers[frame.buffer][plane.buffer]
            let mapping = try buffer.map(.read)
            try buffer.beginCPUAccess(.read)
            defer { try? buffer.endCPUAccess(.read) }
            let rowBytes = layout.rowBytes(plane: index) ?? plane.stride
            for row in 0..<(layout.rows(plane: index) ?? 0) {
                let start = plane.offset + row * plane.stride
                pixels.append(contentsOf: UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<start + rowBytes]))
            }
        }
        return pixels
    }
}
