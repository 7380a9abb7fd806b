internal import Glibc
public import PixelFormats

/// How images of one layout are copied: whole, or a rectangle of them, into one buffer.
///
/// Made once for a layout; copying an image then is a `memcpy` of all its bytes where that is possible, of each plane, or
/// of each row. Rows whose padding is more than an eighth of them are copied one by one and lie close together in the
/// copy; less padding is copied with them, which is faster.
public struct ImageCopy: Sendable {
    /// The images that are copied.
    public let source: ImageLayout
    /// The copies: all planes in one buffer.
    public let destination: ImageLayout
    private let moves: [Move]
    /// Where the rows that are copied lie in each plane of the images. Empty where there are no rows.
    private let rows: [Rows]

    private struct Rows: Sendable {
        /// From the plane's offset.
        let from: Int
        let bytes: Int
        let count: Int
    }

    /// Bytes to be moved: rows, or everything at once as one row.
    private struct Move: Sendable {
        let plane: Int
        let buffer: Int
        var from: Int
        var fromStride: Int
        var to: Int
        var toStride: Int
        var rowBytes: Int
        var rows: Int

        var sourceEnd: Int { from + (rows - 1) * fromStride + rowBytes }
    }

    /// - Parameters:
    ///   - layout: of the images; checked
    ///   - crop: the rectangle wanted; nil: all
    public init(of layout: ImageLayout, crop: Crop? = nil) throws(CopyError) {
        do throws(ImageLayoutError) {
            try layout.validate()
        } catch {
            throw .layout(error)
        }
        source = layout
        guard let info = layout.format.info, !info.isCompressed else {
            if crop != nil { throw .crop(.noPixels(layout.format)) }
            (destination, moves) = Self.plainBytes(layout)
            rows = []
            return
        }
        let part = crop ?? Crop(width: layout.width, height: layout.height)
        do throws(CropError) {
            try part.check(against: layout)
        } catch {
            throw .crop(error)
        }
        do throws(ImageLayoutError) {
            (destination, moves, rows) = try Self.rows(layout, info, part, isWhole: crop == nil)
        } catch {
            throw .layout(error)
        }
    }

    /// Planes of bytes, back to back.
    private static func plainBytes(_ layout: ImageLayout) -> (ImageLayout, [Move]) {
        var (copy, moves, end) = (layout, [Move](), 0)
        for (index, plane) in layout.planes.enumerated() {
            copy.planes[index] = PlaneLayout(offset: end, stride: plane.stride, size: plane.size)
            moves.append(
                Move(
                    plane: index,
                    buffer: plane.buffer,
                    from: plane.offset,
                    fromStride: 0,
                    to: end,
                    toStride: 0,
                    rowBytes: plane.size,
                    rows: 1
                )
            )
            end = end.addingClamped(plane.size)
        }
        return (copy, moves)
    }

    private static func rows(
        _ layout: ImageLayout,
        _ info: PixelFormatInfo,
        _ part: Crop,
        isWhole: Bool
    ) throws(ImageLayoutError) -> (ImageLayout, [Move], [Rows]) {
        let tight = try ImageLayout.computed(
            width: part.width,
            height: part.height,
            format: layout.format,
            colorSpace: layout.colorSpace
        )
        let keepsStrides =
            isWhole
            && layout.planes.indices.allSatisfy {
                let rowBytes = layout.rowBytes(plane: $0) ?? 0
                return layout.planes[$0].stride - rowBytes <= rowBytes / 8
            }
        var (copy, moves, places, end) = (tight, [Move](), [Rows](), 0)
        for (index, plane) in layout.planes.enumerated() {
            let planeInfo = info.planes[index]
            let rows = tight.rows(plane: index) ?? 0
            let rowBytes = tight.rowBytes(plane: index) ?? 0
            let stride = keepsStrides ? plane.stride : tight.planes[index].stride
            copy.planes[index] = PlaneLayout(offset: end, stride: stride, size: stride.multipliedClamped(by: rows))
            let from = planeInfo.start(of: part, stride: plane.stride)
            places.append(Rows(from: from, bytes: rowBytes, count: rows))
            var move = Move(
                plane: index,
                buffer: plane.buffer,
                from: plane.offset + from,
                fromStride: plane.stride,
                to: end,
                toStride: stride,
                rowBytes: rowBytes,
                rows: rows
            )
            if plane.stride == stride, isWhole {
                // All rows at once, padding between them included.
                (move.rowBytes, move.rows) = (stride * rows, 1)
            }
            moves.append(move)
            end = end.addingClamped(stride.multipliedClamped(by: rows))
        }
        return (copy, merged(moves), places)
    }

    /// Neighbours on both sides are one move.
    private static func merged(_ moves: [Move]) -> [Move] {
        var result: [Move] = []
        for move in moves {
            if let last = result.last, last.rows == 1, move.rows == 1, last.buffer == move.buffer,
                last.from + last.rowBytes == move.from, last.to + last.rowBytes == move.to
            {
                result[result.count - 1].rowBytes += move.rowBytes
            } else {
                result.append(move)
            }
        }
        return result
    }

    /// Whether each image says how many of its bytes are used: there are no rows.
    var isPlainBytes: Bool { source.format.info.map(\.isCompressed) ?? true }

    /// How many bytes of a plane of the copy hold data, if so many of the image's plane do: for
    /// ``FrameDescription/setBytesUsed(_:stream:plane:)``. A copy of a short image is short where the image is.
    ///
    /// It counts the rows from the top that are whole in the image, and what there is of the next.
    /// - Parameters:
    ///   - used: of the image's plane, from its offset
    ///   - plane: the plane's place in the image, from 0
    public func bytesUsed(_ used: Int, plane: Int) -> Int {
        guard source.planes.indices.contains(plane) else { return 0 }
        let (all, place) = (destination.planes[plane].size, source.planes[plane])
        let used = min(max(0, used), place.size)
        guard rows.indices.contains(plane) else { return min(used, all) }
        let rows = rows[plane]
        // The padding behind the last row's pixels is no data.
        if used - rows.from >= (rows.count - 1) * place.stride + rows.bytes { return all }
        let (whole, rest) = max(0, used - rows.from).quotientAndRemainder(dividingBy: place.stride)
        return whole * destination.planes[plane].stride + min(rest, rows.bytes)
    }

    /// Copies an image.
    /// - Parameters:
    ///   - image: of the layout that this was made for
    ///   - copy: with the buffer of ``destination``
    /// - Returns: the bytes copied; nil where the CPU can't map one of the two, or where they are of other sizes than the
    ///   layouts say: nothing is copied then
    @discardableResult
    public func copy(_ image: borrowing Image, into copy: borrowing WritableImage) -> Int? {
        let needed = destination.bufferSize(0)
        return copy.withUnsafeMutableBytes { target -> Int? in
            guard let base = target.baseAddress, target.count >= needed else { return nil }
            var total = 0
            for move in moves {
                let bytes = image.bytes(buffer: move.buffer)
                guard bytes.byteCount >= move.sourceEnd else { return nil }
                // Invariant: every row lies inside the source (just checked) and inside the destination, as its layout,
                // which was validated, has room for all of them.
                total += bytes.withUnsafeBytes { source in
                    guard let start = source.baseAddress else { return 0 }
                    return run(
                        move,
                        from: start,
                        to: base,
                        used: isPlainBytes ? image.bytesUsed(plane: move.plane) : nil
                    )
                }
            }
            return total
        } ?? nil
    }

    private func run(
        _ move: Move,
        from source: UnsafeRawPointer,
        to destination: UnsafeMutableRawPointer,
        used: Int?
    ) -> Int {
        if move.rows == 1 {
            let count = min(used ?? move.rowBytes, move.rowBytes)
            memcpy(destination + move.to, source + move.from, count)
            return count
        }
        for row in 0..<move.rows {
            memcpy(
                destination + move.to + row * move.toStride,
                source + move.from + row * move.fromStride,
                move.rowBytes
            )
        }
        return move.rows * move.rowBytes
    }
}
