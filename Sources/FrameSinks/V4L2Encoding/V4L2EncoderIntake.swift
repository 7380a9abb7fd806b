internal import CLinuxMedia
internal import FrameMemory
internal import FrameShare
internal import PixelFormats

/// How frames get into a V4L2 encoder.
public enum V4L2EncoderIntake: Sendable, Hashable {
    /// It reads the frames' own memory, by their DMA buffers.
    case imported
    /// They are copied into its driver's buffers, since it can't read them where they are.
    case copied(reason: String)
}

/// The frames that an encoder takes, as its driver has them.
struct V4L2EncoderInput {
    let layout: ImageLayout
    /// The bytes that each of V4L2's planes must have.
    let sizes: [Int]

    /// Asks for frames of `layout`, stride for stride.
    init(_ device: V4L2EncoderDevice, _ layout: ImageLayout) throws(V4L2EncoderError) {
        guard let code = device.inputCode(layout.format, buffers: layout.bufferCount) else {
            throw .formatNotTaken(
                path: device.path,
                layout.format,
                taken: device.inputs.compactMap { PixelFormat(v4l2: $0)?.name }
            )
        }
        let isSeparate = code != layout.format.v4l2
        var wanted = fs_v4l2_format()
        wanted.type = device.inputType
        wanted.width = UInt32(clamping: layout.width)
        wanted.height = UInt32(clamping: layout.height)
        wanted.pixelformat = code.rawValue
        wanted.field = V4L2_FIELD_NONE.rawValue
        wanted.colorspace = layout.colorSpace.v4l2
        wanted.num_planes = isSeparate ? UInt32(layout.planes.count) : 1
        withUnsafeMutableBytes(of: &wanted.bytesperline) { bytes in
            let strides = bytes.bindMemory(to: UInt32.self)
            for plane in 0..<Int(wanted.num_planes) { strides[plane] = UInt32(clamping: layout.planes[plane].stride) }
        }
        withUnsafeMutableBytes(of: &wanted.sizeimage) { bytes in
            let sizes = bytes.bindMemory(to: UInt32.self)
            for plane in 0..<Int(wanted.num_planes) { sizes[plane] = UInt32(clamping: layout.bufferSize(plane)) }
        }
        let made = try device.setFormat(wanted)
        guard made.pixelformat == wanted.pixelformat else {
            let given = FourCC(rawValue: made.pixelformat).description
            throw .formatNotTaken(path: device.path, layout.format, taken: [given])
        }
        guard made.width >= layout.width, made.height >= layout.height, (1...4).contains(made.num_planes) else {
            throw .sizeNotPossible(
                path: device.path,
                width: layout.width,
                height: layout.height,
                offered: "\(made.width)x\(made.height)"
            )
        }
        let planes = (0..<Int(made.num_planes)).map { plane in
            V4L2Plane(
                bytesPerLine: Int(V4L2EncoderQueue.element(made.bytesperline, plane)),
                sizeImage: Int(V4L2EncoderQueue.element(made.sizeimage, plane))
            )
        }
        do throws(ImageLayoutError) {
            self.layout = try .v4l2(
                width: Int(made.width),
                height: Int(made.height),
                format: layout.format,
                planes: planes,
                colorSpace: layout.colorSpace
            )
        } catch {
            throw .contradiction(path: device.path, "\(error)")
        }
        sizes = planes.map(\.sizeImage)
        guard made.width != layout.width || made.height != layout.height else { return }
        let crop = device.raw {
            fs_v4l2_set_encoded_size(device.descriptor, UInt32(layout.width), UInt32(layout.height))
        }
        guard crop == 0 else {
            throw .sizeNotPossible(
                path: device.path,
                width: layout.width,
                height: layout.height,
                offered: "\(made.width)x\(made.height)"
            )
        }
    }

    /// Why frames of this layout and memory can't be read where they are; nil if they can.
    func whyCopied(_ frames: ImageLayout, _ memory: MemoryKind) -> String? {
        guard memory.isDMABuf else { return "the frames are in a \(memory), which no device can read" }
        guard frames.bufferCount == sizes.count else {
            return "a frame has \(frames.bufferCount) buffers, the device takes \(sizes.count)"
        }
        for (index, (own, wanted)) in zip(frames.planes, layout.planes).enumerated() {
            guard own.stride == wanted.stride else {
                return "plane \(index) has rows of \(own.stride) bytes, the device wants \(wanted.stride)"
            }
            guard own.offset == wanted.offset, own.buffer == wanted.buffer else {
                return "plane \(index) begins at byte \(own.offset), the device wants it at \(wanted.offset)"
                    + (frames.height == layout.height ? "" : " (\(layout.height) rows for \(frames.height))")
            }
        }
        return nil
    }

    /// Copies an image's rows into a driver's buffers.
    func copy(_ image: borrowing Image, to mappings: [Mapping], path: String) throws(V4L2EncoderError) {
        let from = image.layout
        for (index, wanted) in layout.planes.enumerated() {
            guard let rowBytes = from.rowBytes(plane: index), let rows = from.rows(plane: index),
                from.planes.indices.contains(index), mappings.indices.contains(wanted.buffer)
            else { throw .contradiction(path: path, "\(layout.format) has no plane \(index)") }
            let stride = from.planes[index].stride
            let source = image.plane(index)
            let room = mappings[wanted.buffer]
            let lastRow = (rows - 1) * stride + rowBytes
            guard source.byteCount >= lastRow, rowBytes <= wanted.stride,
                wanted.offset + (rows - 1) * wanted.stride + rowBytes <= room.size
            else { throw .contradiction(path: path, "plane \(index) does not fit its buffer") }
            source.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                // Invariant: both ends were checked above.
                for row in 0..<rows {
                    (room.baseAddress + wanted.offset + row * wanted.stride)
                        .copyMemory(from: base + row * stride, byteCount: rowBytes)
                }
            }
        }
    }
}

extension ColorSpace {
    /// `enum v4l2_colorspace`, 0 where it has no equal: the driver's default.
    fileprivate var v4l2: UInt32 {
        switch (primaries, encoding, range) {
        case (.rec709, .rec601, .full): V4L2_COLORSPACE_JPEG.rawValue
        case (.rec709, .rec709, .limited): V4L2_COLORSPACE_REC709.rawValue
        case (.smpte170m, _, .limited): V4L2_COLORSPACE_SMPTE170M.rawValue
        default: V4L2_COLORSPACE_DEFAULT.rawValue
        }
    }
}
