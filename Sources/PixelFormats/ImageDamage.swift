/// Why the data of a frame can't be a whole image: it is shorter than its layout, or does not begin or end as its format
/// does.
///
/// The publisher decides with it which frames carry the flag for damaged data, and sinks which frames to leave out.
public enum ImageDamage: Error, Hashable, Sendable {
    /// A plane holds `bytes` bytes of data; its rows need `needed`. Of a compressed image: it holds nothing.
    case short(plane: Int, bytes: Int, needed: Int)
    /// The data does not begin as the format does: JPEG with its start marker, H.264 and HEVC with a start code and a NAL
    /// unit, FWHT with its head.
    case noBeginning(PixelFormat)
    /// The data ends before the image does: JPEG without its end marker, FWHT shorter than its head says.
    case noEnd(PixelFormat)
    /// A JPEG image with nothing between its start and its end.
    case noPicture(PixelFormat)
}

extension ImageDamage: CustomStringConvertible {
    /// What is wrong, with the numbers.
    public var description: String {
        switch self {
        case .short(let plane, let bytes, let needed):
            "plane \(plane) holds \(bytes) bytes, an image needs \(needed)"
        case .noBeginning(let format): "the data does not begin as \(format) does"
        case .noEnd(let format): "the data ends before the \(format) image does"
        case .noPicture(let format): "the \(format) image holds no picture"
        }
    }
}

extension ImageLayout {
    /// The least bytes that a plane of a whole image holds, from the plane's offset. The padding behind the last row, and
    /// rows that a producer adds, may be missing. 1 where the layout does not say (compressed images).
    public func leastBytes(plane index: Int) -> Int {
        guard planes.indices.contains(index) else { return 0 }
        let plane = planes[index]
        if format.isCompressed { return 1 }
        let rows: Int
        let rowBytes: Int
        if let known = self.rows(plane: index), let bytes = self.rowBytes(plane: index) {
            (rows, rowBytes) = (known, bytes)
        } else {
            // An unknown format. A stride means rows; how many is known of the first plane alone.
            guard index == 0, plane.stride > 0, height > 0 else { return 1 }
            (rows, rowBytes) = (height, 1)
        }
        guard let before = plane.stride.times(rows - 1), let needed = before.plus(rowBytes) else { return plane.size }
        return min(needed, plane.size)
    }

    /// What is wrong with an image whose planes hold so many bytes of data; nil if they can be whole.
    /// - Parameter bytesUsed: of each plane, from its offset
    public func damage(bytesUsed: (_ plane: Int) -> Int) -> ImageDamage? {
        for index in planes.indices {
            let (bytes, needed) = (bytesUsed(index), leastBytes(plane: index))
            if bytes < needed { return .short(plane: index, bytes: max(0, bytes), needed: needed) }
        }
        return nil
    }

    /// What is wrong with the data of a compressed image; nil if nothing is, and for all other formats. It looks at the
    /// beginning and the end, and decodes nothing.
    /// - Parameter data: the used bytes of the plane
    public func damage(of data: RawSpan) -> ImageDamage? {
        guard format.isCompressed else { return nil }
        return data.withUnsafeBytes { format.damage(of: $0) }
    }
}

extension PixelFormat {
    /// As ``ImageLayout/damage(of:)``.
    fileprivate func damage(of data: UnsafeRawBufferPointer) -> ImageDamage? {
        if data.isEmpty { return .short(plane: 0, bytes: 0, needed: 1) }
        switch self {
        case .mjpeg:
            do throws(ImageDamage) {
                return try JPEGHeader(data).hasEnd(in: data) ? nil : .noEnd(self)
            } catch {
                return error
            }
        case .h264: return Self.beginsWithUnit(data, headerSize: 1) ? nil : .noBeginning(self)
        case .hevc: return Self.beginsWithUnit(data, headerSize: 2) ? nil : .noBeginning(self)
        case .fwht: return fwhtDamage(of: data)
        default: return nil
        }
    }

    /// Whether data begins with a start code and a NAL unit of more than its header (ITU-T H.264 and H.265, annex B).
    private static func beginsWithUnit(_ data: UnsafeRawBufferPointer, headerSize: Int) -> Bool {
        let zeros = data.prefix { $0 == 0 }.count
        guard zeros >= 2, zeros + 1 + headerSize < data.count, data[zeros] == 1 else { return false }
        // The header's first bit, forbidden_zero_bit, is 0.
        return data[zeros + 1] & 0x80 == 0
    }

    /// `struct fwht_cframe_hdr` of the kernel's `codec-fwht.h`: two words of magic, eight numbers, and the size of what
    /// follows, all big-endian.
    private func fwhtDamage(of data: UnsafeRawBufferPointer) -> ImageDamage? {
        let (magic, headSize): ([UInt8], Int) = ([0x4F, 0x4F, 0x4F, 0x4F, 0xFF, 0xFF, 0xFF, 0xFF], 44)
        guard data.starts(with: magic), data.count >= headSize else { return .noBeginning(self) }
        let size = data[(headSize - 4)..<headSize].reduce(0) { $0 << 8 | Int($1) }
        return data.count - headSize >= size ? nil : .noEnd(self)
    }
}
