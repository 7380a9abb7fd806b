internal import FrameShare
package import PixelFormats

/// Where the planes of an image lie in memory, checked against the layout: what all sinks read from.
///
/// Holds addresses, so it must not outlive the call in which the memory is lent.
package struct ImagePlanes {
    /// The bytes of each plane, from the plane's own offset on.
    package typealias Parts = InlineArray<4, UnsafeRawBufferPointer>

    let layout: ImageLayout
    private let parts: Parts

    /// - Throws: ``SinkError/layout(_:)`` or ``SinkError/planeTooShort(plane:needed:given:)``.
    package init(_ layout: ImageLayout, _ parts: Parts) throws(SinkError) {
        try Self.validate(layout)
        for (index, plane) in layout.planes.enumerated() where parts[index].count < plane.size {
            throw .planeTooShort(plane: index, needed: plane.size, given: parts[index].count)
        }
        self.layout = layout
        self.parts = parts
    }

    /// An image whose planes all lie in one buffer.
    init(_ layout: ImageLayout, bytes: UnsafeRawBufferPointer) throws(SinkError) {
        try Self.validate(layout)
        var parts = Parts(repeating: UnsafeRawBufferPointer(start: nil, count: 0))
        for (index, plane) in layout.planes.enumerated() where plane.buffer == 0 && plane.offset <= bytes.count {
            parts[index] = UnsafeRawBufferPointer(rebasing: bytes[plane.offset...])
        }
        try self.init(layout, parts)
    }

    private static func validate(_ layout: ImageLayout) throws(SinkError) {
        do throws(ImageLayoutError) {
            try layout.validate()
        } catch {
            throw .layout(error)
        }
    }

    /// The first bytes of a plane.
    func bytes(plane: Int, count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: parts[plane].prefix(max(0, count)))
    }

    /// The first byte of a row of a plane.
    func row(_ row: Int, plane: Int) -> UnsafeRawPointer {
        // Invariant: a valid layout's planes are not empty, so each has an address.
        parts[plane].baseAddress.unsafelyUnwrapped + row * layout.planes[plane].stride
    }
}

/// A copy of an image that holds less than its layout needs, with zeros for what is missing: the bytes that lie there are
/// an earlier frame's.
struct FilledImage {
    /// The planes in one buffer, back to back.
    let layout: ImageLayout
    let bytes: [UInt8]

    /// Nil for an image whose planes are all there, and for compressed and unknown formats, which are taken as far as they
    /// are used.
    init?(_ image: borrowing Image) {
        var layout = image.layout
        guard layout.rowBytes(plane: 0) != nil, image.shortage != nil else { return nil }
        var bytes: [UInt8] = []
        for index in layout.planes.indices {
            let size = layout.planes[index].size
            layout.planes[index].offset = bytes.count
            layout.planes[index].buffer = 0
            let plane = image.plane(index)
            let used = plane.extracting(first: min(image.bytesUsed(plane: index), plane.byteCount))
            used.withUnsafeBytes { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: repeatElement(0, count: size - used.byteCount))
        }
        (self.layout, self.bytes) = (layout, bytes)
    }
}
