import PixelFormats

/// Where the planes of an image lie in memory, checked against the layout: what all sinks read from.
///
/// Holds addresses, so it must not outlive the call in which the memory is lent.
struct ImagePlanes {
    /// The bytes of each plane, from the plane's own offset on.
    typealias Parts = InlineArray<4, UnsafeRawBufferPointer>

    let layout: ImageLayout
    private let parts: Parts

    /// - Throws: ``SinkError/layout(_:)`` or ``SinkError/planeTooShort(plane:needed:given:)``.
    init(_ layout: ImageLayout, _ parts: Parts) throws(SinkError) {
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
