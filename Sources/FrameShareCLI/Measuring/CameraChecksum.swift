import FrameMemory
import FrameShare
import FrameSources
import Synchronization

/// Tells the checksum of each of a camera's images, as they were when they came from the driver: `publish --checksum`.
///
/// It is made from the driver's own buffer, before anyone else has it, as a reader makes it from what was shared.
final class CameraChecksum: Sendable {
    /// An image that a camera has filled.
    struct CameraImage {
        /// Whose buffers these are.
        var camera: any AnyObject & Sendable
        /// By slot, then by buffer of the image.
        var buffers: [[FrameBuffer]]
        var slot: Int
        var layout: ImageLayout
        /// For each plane.
        var bytesUsed: [Int]
    }

    private struct Mapped {
        /// By slot, then by buffer of the image.
        var mappings: [[Mapping]]
        /// Not kept: an unplugged camera's open file would keep its device in the kernel. And not known by its address, where
        /// the next one may be.
        weak let camera: (any AnyObject & Sendable)?
    }

    /// By stream, of the camera as it is set up now; it may be set up anew.
    private let mapped = Mutex<[String: Mapped]>([:])

    /// What to publish beside the image's pixels: nothing if they can't be read.
    func metadata(_ image: CameraImage, stream: String) -> Metadata {
        guard let sum = try? checksum(image, stream) else { return [:] }
        var metadata = Metadata()
        metadata[PixelChecksum.key(stream: stream)] = .int64(Int64(bitPattern: sum))
        return metadata
    }

    /// Of a V4L2 camera's one stream.
    func metadata(_ frame: V4L2Frame, _ camera: V4L2Camera, stream: String) -> Metadata {
        let layout = camera.setup.layout
        return metadata(
            CameraImage(
                camera: camera,
                buffers: camera.buffers,
                slot: frame.buffer,
                layout: layout,
                bytesUsed: layout.planes.indices.map { frame.bytesUsed(plane: $0) }
            ),
            stream: stream
        )
    }

    /// Of all streams of a camera of libcamera's.
    func metadata(_ frame: LibcameraFrame, _ camera: LibcameraCamera) -> Metadata {
        var all = Metadata()
        for (i, layout) in camera.setup.layouts.enumerated() {
            let image = CameraImage(
                camera: camera,
                buffers: camera.buffers.map { $0[i] },
                slot: frame.slot,
                layout: layout,
                bytesUsed: layout.planes.indices.map { frame.bytesUsed(stream: i, plane: $0) }
            )
            for entry in metadata(image, stream: camera.configuration.streams[i].name) { all[entry.key] = entry.value }
        }
        return all
    }

    private func checksum(_ image: CameraImage, _ stream: String) throws(MemoryError) -> UInt64 {
        let mappings = try mappings(of: image, stream)[image.slot]
        let buffers = image.buffers[image.slot]
        for buffer in buffers { try buffer.beginCPUAccess(.read) }
        var sum = PixelChecksum()
        for (plane, used) in zip(image.layout.planes, image.bytesUsed) {
            let bytes = mappings[plane.buffer].bytes
            sum.add(UnsafeRawBufferPointer(rebasing: bytes[plane.offset..<plane.offset + used]))
        }
        for buffer in buffers { try buffer.endCPUAccess(.read) }
        return sum.value
    }

    private func mappings(of image: CameraImage, _ stream: String) throws(MemoryError) -> [[Mapping]] {
        try mapped.withLock { mapped throws(MemoryError) in
            if let known = mapped[stream], known.camera === image.camera { return known.mappings }
            var mappings: [[Mapping]] = []
            for slot in image.buffers {
                var planes: [Mapping] = []
                for buffer in slot { planes.append(try buffer.map(.read)) }
                mappings.append(planes)
            }
            mapped[stream] = Mapped(mappings: mappings, camera: image.camera)
            return mappings
        }
    }
}
