import PixelFormats

/// Where the planes of an image lie in memory, checked against the layout: what all sinks read from.
///
/// Holds addresses, so it must not outlive the call in which the memory is lent.
struct ImagePlanes {
    let layout: ImageLayout
    private let starts: (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer)

    /// - Parameter plane: the bytes of one plane, from the plane's own offset on.
    /// - Throws: ``SinkError/layout(_:)`` or ``SinkError/planeTooShort(plane:needed:given:)``.
    init(_ layout: ImageLayout, plane: (Int) -> UnsafeRawBufferPointer) throws(SinkError) {
        do {
            try layout.validate()
        } catch {
            throw .layout(error)
        }
        self.layout = layout
        func start(_ index: Int) throws(SinkError) -> UnsafeRawPointer {
            let bytes = plane(index)
            let needed = layout.planes[index].size
            guard bytes.count >= needed, let start = bytes.baseAddress else {
                throw .planeTooShort(plane: index, needed: needed, given: bytes.count)
            }
            return start
        }
        let last = layout.planes.count - 1
        let first = try start(0)
        starts = (
            first,
            try last >= 1 ? start(1) : first,
            try last >= 2 ? start(2) : first,
            try last >= 3 ? start(3) : first
        )
    }

    /// An image whose planes all lie in one buffer.
    init(_ layout: ImageLayout, bytes: UnsafeRawBufferPointer) throws(SinkError) {
        try self.init(layout) { index in
            let plane = layout.planes[index]
            guard plane.buffer == 0, plane.offset <= bytes.count else {
                return UnsafeRawBufferPointer(start: nil, count: 0)
            }
            return UnsafeRawBufferPointer(rebasing: bytes[plane.offset...])
        }
    }

    /// The first byte of a plane.
    func start(_ plane: Int) -> UnsafeRawPointer {
        switch plane {
        case 0: starts.0
        case 1: starts.1
        case 2: starts.2
        default: starts.3
        }
    }

    /// The first byte of a row of a plane.
    func row(_ row: Int, plane: Int) -> UnsafeRawPointer {
        start(plane) + row * layout.planes[plane].stride
    }
}
