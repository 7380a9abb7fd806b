internal import FrameShare
internal import PixelFormats

/// Turns and mirrors pictures, plane by plane.
enum PixelTurner {
    /// The format to turn pixels in that are to be of another: one whose pixels are groups of their own, with chroma that
    /// stands for as many rows as columns.
    static func format(for format: PixelFormat) -> PixelFormat {
        guard let info = format.info, !info.isCompressed else { return format }
        let canTurn = info.planes.allSatisfy {
            $0.pixelsPerGroup == 1 && $0.horizontalSubsampling == $0.verticalSubsampling
        }
        return canTurn ? format : .yuv444
    }

    static func turn(_ from: Picture, to: Picture, _ rotation: Wish.Rotation, mirror: Bool) {
        guard let info = to.layout.format.info else { return }
        for (index, plane) in info.planes.enumerated() {
            guard let source = from.planes[index], let target = to.planes[index],
                let rows = plane.rows(height: to.layout.height)
            else { continue }
            let columns = (to.layout.width + plane.horizontalSubsampling - 1) / plane.horizontalSubsampling
            let step = plane.bytesPerGroup
            let (sourceStride, targetStride) = (from.layout.planes[index].stride, to.layout.planes[index].stride)
            // Where the first group of a row comes from, and how far it is to the next one and to the next row.
            var (start, across, down) =
                switch rotation {
                case .none: (0, step, sourceStride)
                case .quarter: ((columnsOf(rows, columns, rotation).rows - 1) * sourceStride, -sourceStride, step)
                case .half: ((rows - 1) * sourceStride + (columns - 1) * step, -step, -sourceStride)
                case .threeQuarters: ((rows - 1) * step, sourceStride, -step)
                }
            if mirror { (start, across) = (start + (columns - 1) * across, -across) }
            // Invariant: both pictures have as many groups as the plane's rows and columns say, those of the source with
            // sides that change places for a quarter.
            for row in 0..<rows {
                var place = source + start + row * down
                var out = target + row * targetStride
                switch step {
                case 1:
                    for _ in 0..<columns {
                        out.pointee = place.pointee
                        (out, place) = (out + 1, place + across)
                    }
                case 4:
                    for _ in 0..<columns {
                        UnsafeMutableRawPointer(out).storeBytes(
                            of: UnsafeRawPointer(place).loadUnaligned(as: UInt32.self),
                            as: UInt32.self
                        )
                        (out, place) = (out + 4, place + across)
                    }
                default:
                    for _ in 0..<columns {
                        for byte in 0..<step { out[byte] = place[byte] }
                        (out, place) = (out + step, place + across)
                    }
                }
            }
        }
    }

    /// The sides of the source's plane, of those of the target's.
    private static func columnsOf(_ rows: Int, _ columns: Int, _ rotation: Wish.Rotation) -> (rows: Int, columns: Int) {
        rotation.swapsSides ? (columns, rows) : (rows, columns)
    }
}
