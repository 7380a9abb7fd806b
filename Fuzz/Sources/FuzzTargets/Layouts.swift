@testable import PixelFormats

/// How images lie in memory: as asked for, as a peer says, and as a V4L2 driver says (`v4l2_pix_format` and `_mplane`).
///
/// No number traps, and every layout that is given out holds each row of each plane inside its buffer.
func fuzzLayouts(_ bytes: UnsafeRawBufferPointer) {
    var input = Input(bytes)
    let choice = input.byte()
    let index = Int(input.byte())
    let format =
        index < PixelFormat.all.count
        ? PixelFormat.all[index] : PixelFormat(fourcc: FourCC(rawValue: input.integer()), modifier: input.integer())
    let (width, height) = (input.number(), input.number())
    let layout: ImageLayout?
    switch choice % 4 {
    case 0:
        let alignment = input.number()
        layout = try? .computed(width: width, height: height, format: format, strideAlignment: alignment)
    case 1: layout = try? .opaque(width: width, height: height, format: format, capacity: input.number())
    case 2:
        let space = ColorSpace(
            v4l2ColorSpace: UInt32(input.byte()),
            transfer: UInt32(input.byte()),
            encoding: UInt32(input.byte()),
            quantization: UInt32(input.byte()),
            format: format
        )
        let planes = (0..<input.byte() % 6).map { _ in
            V4L2Plane(bytesPerLine: input.number(), sizeImage: input.number(), dataOffset: input.number())
        }
        layout = try? .v4l2(width: width, height: height, format: format, planes: planes, colorSpace: space)
    default:
        let planes = (0..<input.byte() % 6).map { _ in
            PlaneLayout(offset: input.number(), stride: input.number(), size: input.number(), buffer: input.number())
        }
        let claimed = ImageLayout(width: width, height: height, format: format, planes: planes)
        _ = (claimed.description, claimed.bufferCount, claimed.bufferSize(0), claimed.rowBytes(plane: index))
        layout = (try? claimed.validate()) == nil ? nil : claimed
    }
    if let layout { checkPlanes(of: layout) }
}

/// What everyone who reads pixels relies on.
func checkPlanes(of layout: ImageLayout) {
    precondition((1...ImageLayout.mostPlanes).contains(layout.planes.count))
    for (index, plane) in layout.planes.enumerated() {
        precondition((0..<layout.bufferCount).contains(plane.buffer), "a plane in no buffer")
        precondition(plane.offset >= 0 && plane.size > 0 && plane.stride >= 0)
        precondition(plane.size <= layout.bufferSize(plane.buffer) - plane.offset, "a plane beyond its buffer")
        guard let rows = layout.rows(plane: index), let rowBytes = layout.rowBytes(plane: index) else { continue }
        precondition(rowBytes <= plane.stride, "rows that overlap")
        precondition((rows - 1) * plane.stride + rowBytes <= plane.size, "a row beyond its plane")
    }
}
