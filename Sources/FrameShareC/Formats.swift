internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_format_by_name(
    _ name: UnsafePointer<CChar>!,
    _ info: UnsafeMutablePointer<frameshare_format_info>!
) -> Int32 {
    answer { () throws(Failure) in
        let name = try text(name, "name")
        try write(formatInfo(try format(named: name)), to: info, "info")
        return ok
    }
}

@c @implementation
public func frameshare_format_get(
    _ fourcc: UInt32,
    _ modifier: UInt64,
    _ info: UnsafeMutablePointer<frameshare_format_info>!
) -> Int32 {
    answer { () throws(Failure) in
        let format = PixelFormat(fourcc: FourCC(rawValue: fourcc), modifier: modifier)
        guard format.info != nil else { return Int32(FRAMESHARE_NOT_FOUND) }
        try write(formatInfo(format), to: info, "info")
        return ok
    }
}

@c @implementation
public func frameshare_format_at(_ index: Int, _ info: UnsafeMutablePointer<frameshare_format_info>!) -> Int32 {
    answer { () throws(Failure) in
        guard PixelFormat.all.indices.contains(index) else { return Int32(FRAMESHARE_NOT_FOUND) }
        try write(formatInfo(PixelFormat.all[index]), to: info, "info")
        return ok
    }
}

@c @implementation
public func frameshare_color_space_by_name(
    _ name: UnsafePointer<CChar>!,
    _ space: UnsafeMutablePointer<frameshare_color_space>!
) -> Int32 {
    answer { () throws(Failure) in
        let name = try text(name, "name")
        let space = try place(space, "space")
        guard let known = ColorSpace(name: name) else {
            throw .invalid("there is no colour space '\(name)'; try sRGB, sYCC, SMPTE170M, Rec709, Rec2020 or RAW")
        }
        space.pointee = frameshare_color_space(known)
        return ok
    }
}

@c @implementation
public func frameshare_color_space_name(
    _ space: frameshare_color_space,
    _ name: UnsafeMutablePointer<CChar>!,
    _ size: Int
) -> Int32 {
    answer { () throws(Failure) in
        let name = try place(name, "name")
        guard size > 0 else { throw .invalid("'size' is 0") }
        copy(ColorSpace(space).name, into: UnsafeMutableRawBufferPointer(start: name, count: size))
        return ok
    }
}

func format(named name: String) throws(Failure) -> PixelFormat {
    guard let format = PixelFormat(name: name) else {
        throw Failure(
            FRAMESHARE_ERROR_LAYOUT,
            "there is no format '\(name)'; try YUV420, NV12, RGB888, XBGR8888, MJPEG"
        )
    }
    return format
}

private func formatInfo(_ format: PixelFormat) -> frameshare_format_info {
    var result = frameshare_format_info()
    result.fourcc = format.fourcc.rawValue
    result.modifier = format.modifier
    withUnsafeMutableBytes(of: &result.name) { copy(format.name, into: $0) }
    guard let info = format.info else { return result }
    switch info.colorModel {
    case .yuv: result.color_model = UInt8(FRAMESHARE_COLOR_YUV)
    case .rgb: result.color_model = UInt8(FRAMESHARE_COLOR_RGB)
    case .grey: result.color_model = UInt8(FRAMESHARE_COLOR_GREY)
    case .bayer(let order):
        result.color_model = UInt8(FRAMESHARE_COLOR_BAYER)
        result.bayer_order = order.rawValue
    case .compressed: result.color_model = UInt8(FRAMESHARE_COLOR_COMPRESSED)
    }
    result.bit_depth = UInt8(clamping: info.bitDepth)
    result.packing = info.packing.rawValue
    result.plane_count = UInt32(info.planes.count)
    withUnsafeMutableBytes(of: &result.planes) { bytes in
        let planes = bytes.bindMemory(to: frameshare_plane_info.self)
        for (i, plane) in info.planes.prefix(planes.count).enumerated() { planes[i] = planeInfo(plane) }
    }
    return result
}

private func planeInfo(_ plane: PlaneInfo) -> frameshare_plane_info {
    var result = frameshare_plane_info()
    result.horizontal_subsampling = UInt8(clamping: plane.horizontalSubsampling)
    result.vertical_subsampling = UInt8(clamping: plane.verticalSubsampling)
    result.bytes_per_group = UInt8(clamping: plane.bytesPerGroup)
    result.pixels_per_group = UInt8(clamping: plane.pixelsPerGroup)
    result.component_count = UInt8(clamping: min(8, plane.components.count))
    withUnsafeMutableBytes(of: &result.components) { bytes in
        for (i, component) in plane.components.prefix(bytes.count).enumerated() { bytes[i] = component.rawValue }
    }
    return result
}

extension frameshare_color_space {
    init(_ space: ColorSpace) {
        self.init(
            primaries: space.primaries.rawValue,
            transfer: space.transfer.rawValue,
            encoding: space.encoding.rawValue,
            range: space.range.rawValue
        )
    }
}

extension ColorSpace {
    /// Numbers that mean nothing are unknown.
    init(_ space: frameshare_color_space) {
        self.init(
            primaries: Primaries(rawValue: space.primaries) ?? .unknown,
            transfer: Transfer(rawValue: space.transfer) ?? .unknown,
            encoding: Encoding(rawValue: space.encoding) ?? .unknown,
            range: Range(rawValue: space.range) ?? .unknown
        )
    }
}
