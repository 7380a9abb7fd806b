internal import FrameShare
internal import FrameShareCHeader

/// A plane's buffer: where it is mapped, and its descriptor.
struct PlaneMemory {
    var base: UnsafeMutableRawPointer?
    var descriptor: Int32
    /// Where the buffer begins in the descriptor.
    var offset: Int
}

/// Describes an image as C has it.
/// - Parameters:
///   - bytesUsed: how many bytes of a plane hold data
///   - memory: the buffer of each plane
func cImage(
    name: String,
    layout: ImageLayout,
    kind: MemoryKind,
    protection: WriteProtection,
    bytesUsed: (Int) -> Int,
    memory: (Int) -> PlaneMemory
) -> frameshare_image {
    var result = frameshare_image()
    result.width = UInt32(clamping: layout.width)
    result.height = UInt32(clamping: layout.height)
    result.fourcc = layout.format.fourcc.rawValue
    result.modifier = layout.format.modifier
    result.color_space = frameshare_color_space(layout.colorSpace)
    result.plane_count = UInt32(clamping: layout.planes.count)
    result.memory = UInt32(kind.rawValue)
    result.protection = UInt32(protection.rawValue)
    // Looked up once for all planes.
    let info = layout.format.info
    withUnsafeMutableBytes(of: &result.planes) { bytes in
        let planes = bytes.bindMemory(to: frameshare_plane.self)
        for (i, plane) in layout.planes.prefix(planes.count).enumerated() {
            let memory = memory(plane.buffer)
            planes[i].data = memory.base.map { $0 + plane.offset }
            planes[i].stride = plane.stride
            planes[i].size = plane.size
            planes[i].bytes_used = bytesUsed(i)
            if let info, info.planes.indices.contains(i) {
                planes[i].row_bytes = info.planes[i].rowBytes(width: layout.width) ?? 0
                planes[i].rows = info.planes[i].rows(height: layout.height) ?? 0
            }
            planes[i].offset = memory.offset + plane.offset
            planes[i].fd = memory.descriptor
            planes[i].buffer = UInt32(clamping: plane.buffer)
        }
    }
    withUnsafeMutableBytes(of: &result.stream) { copy(name, into: $0) }
    return result
}

/// A frame's image as C has it. Its pointers are valid as long as the frame.
func cImage(_ image: borrowing Image) -> frameshare_image {
    // The planes' bytes lie inside: the layout was checked against the buffers when they came.
    var memory = InlineArray<4, PlaneMemory>(repeating: PlaneMemory(base: nil, descriptor: -1, offset: 0))
    for i in 0..<min(4, image.layout.bufferCount) {
        memory[i].descriptor = image.descriptor(buffer: i) ?? -1
        memory[i].offset = image.descriptorOffset(buffer: i)
        memory[i].base = image.bytes(buffer: i).withUnsafeBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
    }
    var used = InlineArray<4, Int>(repeating: 0)
    for i in 0..<min(4, image.layout.planes.count) { used[i] = image.bytesUsed(plane: i) }
    return cImage(
        name: image.name,
        layout: image.layout,
        kind: image.memory,
        protection: image.writeProtection,
        bytesUsed: { used[$0] },
        memory: { memory[$0] }
    )
}
