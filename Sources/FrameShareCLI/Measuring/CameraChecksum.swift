import FrameMemory
import FrameShare
import FrameSources
import Synchronization

/// Tells the checksum of each of a camera's images, as they were when they came from the driver: `publish --checksum`.
///
/// It is made from the driver's own buffer, before anyone else has it, as a reader makes it from what was shared.
final class CameraChecksum: Sendable {
    private struct Mapped {
        /// By buffer, then by V4L2's plane.
        var mappings: [[Mapping]]
        /// Not kept: an unplugged camera's open file would keep its device in the kernel. And not known by its address, where
        /// the next one may be.
        weak let camera: V4L2Camera?
    }

    /// Of the camera as it is set up now; it may be set up anew.
    private let mapped = Mutex<Mapped?>(nil)

    /// What to publish beside the frame's pixels: nothing if they can't be read.
    func metadata(_ frame: V4L2Frame, _ camera: V4L2Camera, stream: String) -> Metadata {
        guard let sum = try? checksum(frame, camera) else { return [:] }
        var metadata = Metadata()
        metadata[PixelChecksum.key(stream: stream)] = .int64(Int64(bitPattern: sum))
        return metadata
    }

    private func checksum(_ frame: V4L2Frame, _ camera: V4L2Camera) throws(MemoryError) -> UInt64 {
        let mappings = try mappings(of: camera)[frame.buffer]
        let buffers = camera.buffers[frame.buffer]
        for buffer in buffers { try buffer.beginCPUAccess(.read) }
        var sum = PixelChecksum()
        for (index, plane) in camera.setup.layout.planes.enumerated() {
            let bytes = mappings[plane.buffer].bytes
            sum.add(
                UnsafeRawBufferPointer(rebasing: bytes[plane.offset..<plane.offset + frame.bytesUsed(plane: index)])
            )
        }
        for buffer in buffers { try buffer.endCPUAccess(.read) }
        return sum.value
    }

    private func mappings(of camera: V4L2Camera) throws(MemoryError) -> [[Mapping]] {
        try mapped.withLock { mapped throws(MemoryError) in
            if let mapped, mapped.camera === camera { return mapped.mappings }
            var mappings: [[Mapping]] = []
            for buffer in camera.buffers {
                var planes: [Mapping] = []
                for plane in buffer { planes.append(try plane.map(.read)) }
                mappings.append(planes)
            }
            mapped = Mapped(mappings: mappings, camera: camera)
            return mappings
        }
    }
}
