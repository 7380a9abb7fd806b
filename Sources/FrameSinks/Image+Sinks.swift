public import FrameShare

extension ImagePlanes {
    /// The planes of a frame's image, in whichever buffers they lie. The frame has to outlive this value.
    init(_ image: borrowing Image) throws(SinkError) {
        let layout = image.layout
        var parts = Parts(repeating: UnsafeRawBufferPointer(start: nil, count: 0))
        for index in layout.planes.indices.prefix(parts.count) {
            parts[index] = image.plane(index).withUnsafeBytes { $0 }
        }
        try self.init(layout, parts)
    }
}

extension Snapshot {
    /// Encodes a frame's image. Pixels that it lacks (`Image.damage`) are 0.
    /// - Throws: as ``encode(_:_:bytesUsed:)``.
    public func encode(_ image: borrowing Image) throws(SinkError) -> [UInt8] {
        if let filled = FilledImage(image) { return try encode(filled.layout, filled.bytes.span.bytes) }
        return try encode(ImagePlanes(image), bytesUsed: image.bytesUsed(plane: 0))
    }

    /// Encodes a frame's image and writes the file.
    /// - Parameter overwrite: whether a file of this name is replaced
    /// - Throws: as ``write(_:_:bytesUsed:to:overwrite:)``.
    public func write(_ image: borrowing Image, to path: String, overwrite: Bool = true) throws(SinkError) {
        try WholeFile(path: path, overwrite: overwrite).write(encode(image))
    }
}

extension Y4MWriter {
    /// Writes a frame's image. Pixels that it lacks (`Image.damage`) are 0.
    /// - Throws: as ``write(_:_:)``.
    public mutating func write(_ image: borrowing Image) throws(SinkError) {
        if let filled = FilledImage(image) { return try write(filled.layout, filled.bytes.span.bytes) }
        try write(ImagePlanes(image))
    }
}

extension RawWriter {
    /// Writes a frame's image, a compressed one as far as it is used. Pixels that it lacks are 0.
    /// - Throws: as ``write(_:_:bytesUsed:)``.
    public mutating func write(_ image: borrowing Image) throws(SinkError) {
        if let filled = FilledImage(image) { return try write(filled.layout, filled.bytes.span.bytes) }
        let planes = try ImagePlanes(image)
        let used = (image.bytesUsed(plane: 0), image.bytesUsed(plane: 1))
        try write(planes) { $0 == 0 ? used.0 : $0 == 1 ? used.1 : nil }
    }
}
