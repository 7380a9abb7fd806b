extension ImageLayout {
    /// Checks that all numbers make sense together, so that every row of every plane lies inside its plane and every
    /// plane inside the ``bufferSize(_:)`` bytes of its buffer. It doesn't know how large the buffers really are.
    ///
    /// Any number may be given; none makes it trap. Planes may overlap.
    ///
    /// - A known uncompressed format has exactly its planes; each stride holds a row, each size all rows.
    /// - A compressed format has one plane, whose size is above 0 and whose stride means nothing.
    /// - An unknown format has 1 to 4 planes of bytes, with sizes above 0.
    public func validate() throws(ImageLayoutError) {
        guard (1...Self.largestSide).contains(width), (1...Self.largestSide).contains(height) else {
            throw .sizeOutOfRange(width: width, height: height)
        }
        let info = format.info
        try validatePlaneCount(info)
        for (index, plane) in planes.enumerated() {
            guard plane.offset >= 0, plane.stride >= 0, plane.size > 0, plane.end != nil else {
                throw .planeOutOfRange(plane: index, plane)
            }
        }
        try validateBufferIndices()
        if let info, !info.isCompressed { try validateRows(info) }
    }

    /// As ``validate()``, and that buffers of these sizes, in bytes, hold the planes.
    public func validate(bufferSizes: [Int]) throws(ImageLayoutError) {
        try validate()
        for buffer in 0..<bufferCount {
            let size = buffer < bufferSizes.count ? bufferSizes[buffer] : 0
            let needed = bufferSize(buffer)
            guard size >= needed else { throw .bufferTooSmall(buffer: buffer, size: size, needed: needed) }
        }
    }

    private func validatePlaneCount(_ info: PixelFormatInfo?) throws(ImageLayoutError) {
        if let info {
            let needed = max(1, info.planes.count)
            guard planes.count == needed else {
                throw .wrongPlaneCount(format, found: planes.count, needed: needed)
            }
        } else {
            guard (1...Self.mostPlanes).contains(planes.count) else {
                throw .wrongPlaneCount(format, found: planes.count, needed: nil)
            }
        }
    }

    private func validateBufferIndices() throws(ImageLayoutError) {
        let indices = planes.map(\.buffer)
        let used = Set(indices)
        // As many different indices as there are buffers up to the highest one: no gap, none below 0.
        guard used.min() == 0, used.max() == used.count - 1 else { throw .bufferIndices(indices) }
    }

    private func validateRows(_ info: PixelFormatInfo) throws(ImageLayoutError) {
        for (index, (plane, planeInfo)) in zip(planes, info.planes).enumerated() {
            guard let rowBytes = planeInfo.rowBytes(width: width), let rows = planeInfo.rows(height: height) else {
                throw .sizeOutOfRange(width: width, height: height)
            }
            guard plane.stride >= rowBytes else {
                throw .strideTooSmall(plane: index, stride: plane.stride, rowBytes: rowBytes)
            }
            guard let needed = plane.stride.times(rows) else { throw .planeOutOfRange(plane: index, plane) }
            guard plane.size >= needed else { throw .planeTooSmall(plane: index, size: plane.size, needed: needed) }
        }
    }
}
