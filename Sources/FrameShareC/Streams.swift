internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_stream_compute(
    _ name: UnsafePointer<CChar>!,
    _ width: UInt32,
    _ height: UInt32,
    _ format: UnsafePointer<CChar>!,
    _ alignment: UInt32,
    _ stream: UnsafeMutablePointer<frameshare_stream>!
) -> Int32 {
    answer { () throws(Failure) in
        let name = try text(name, "name")
        let known = try FrameShareC.format(named: try text(format, "format"))
        let layout = try translatingLayout { () throws(ImageLayoutError) in
            try ImageLayout.computed(
                width: Int(width),
                height: Int(height),
                format: known,
                strideAlignment: max(1, Int(alignment))
            )
        }
        try write(try cStream(Stream(name: name, layout: layout)), to: stream, "stream")
        return ok
    }
}

@c @implementation
public func frameshare_stream_opaque(
    _ name: UnsafePointer<CChar>!,
    _ width: UInt32,
    _ height: UInt32,
    _ fourcc: UInt32,
    _ modifier: UInt64,
    _ capacity: UInt64,
    _ stream: UnsafeMutablePointer<frameshare_stream>!
) -> Int32 {
    answer { () throws(Failure) in
        let name = try text(name, "name")
        let layout = try translatingLayout { () throws(ImageLayoutError) in
            try ImageLayout.opaque(
                width: Int(width),
                height: Int(height),
                format: PixelFormat(fourcc: FourCC(rawValue: fourcc), modifier: modifier),
                capacity: Int(clamping: capacity)
            )
        }
        try write(try cStream(Stream(name: name, layout: layout)), to: stream, "stream")
        return ok
    }
}

/// A stream as C has it. Its name is checked: it must fit.
func cStream(_ stream: Stream) throws(Failure) -> frameshare_stream {
    guard stream.name.utf8.count < FRAMESHARE_STREAM_NAME_SIZE else {
        throw Failure(ChannelError.badStreamName(stream.name))
    }
    var result = frameshare_stream()
    result.width = UInt32(clamping: stream.layout.width)
    result.height = UInt32(clamping: stream.layout.height)
    result.fourcc = stream.layout.format.fourcc.rawValue
    result.modifier = stream.layout.format.modifier
    result.color_space = frameshare_color_space(stream.layout.colorSpace)
    result.plane_count = UInt32(clamping: stream.layout.planes.count)
    withUnsafeMutableBytes(of: &result.planes) { bytes in
        let planes = bytes.bindMemory(to: frameshare_plane_layout.self)
        for (i, plane) in stream.layout.planes.prefix(planes.count).enumerated() {
            planes[i].offset = UInt64(clamping: plane.offset)
            planes[i].stride = UInt64(clamping: plane.stride)
            planes[i].size = UInt64(clamping: plane.size)
            planes[i].buffer = UInt32(clamping: plane.buffer)
        }
    }
    withUnsafeMutableBytes(of: &result.name) { copy(stream.name, into: $0) }
    return result
}

/// A caller's streams. Nothing in them is trusted: `Publisher` checks names and layouts.
func streams(_ pointer: UnsafePointer<frameshare_stream>?, _ count: Int) throws(Failure) -> [Stream] {
    guard (1...Int(FRAMESHARE_MAX_STREAMS)).contains(count) else {
        throw Failure(count == 0 ? .noStreams : .tooManyStreams(count))
    }
    guard let pointer else { throw .null("streams") }
    // The first says how far apart they are: an array of structs of the caller's release.
    let stride = Int(UnsafeRawPointer(pointer).loadUnaligned(as: UInt32.self))
    var result: [Stream] = []
    for i in 0..<count {
        let one = UnsafeRawPointer(pointer).advanced(by: i * stride).assumingMemoryBound(to: frameshare_stream.self)
        let given = try read(one, frameshare_stream(), "streams[\(i)]")
        guard Int(given.struct_size) == stride else {
            throw .invalid("'streams[\(i)]' has struct_size \(given.struct_size), the first \(stride)")
        }
        result.append(try stream(given))
    }
    return result
}

private func stream(_ given: frameshare_stream) throws(Failure) -> Stream {
    guard (1...Int(FRAMESHARE_MAX_PLANES)).contains(Int(given.plane_count)) else {
        throw Failure(FRAMESHARE_ERROR_LAYOUT, "an image has 1 to 4 planes, not \(given.plane_count)")
    }
    let planes = withUnsafeBytes(of: given.planes) { bytes in
        bytes.bindMemory(to: frameshare_plane_layout.self).prefix(Int(given.plane_count)).map {
            PlaneLayout(
                offset: Int(clamping: $0.offset),
                stride: Int(clamping: $0.stride),
                size: Int(clamping: $0.size),
                buffer: Int($0.buffer)
            )
        }
    }
    let layout = ImageLayout(
        width: Int(given.width),
        height: Int(given.height),
        format: PixelFormat(fourcc: FourCC(rawValue: given.fourcc), modifier: given.modifier),
        colorSpace: ColorSpace(given.color_space),
        planes: planes
    )
    return Stream(name: withUnsafeBytes(of: given.name) { text(in: $0) }, layout: layout)
}
