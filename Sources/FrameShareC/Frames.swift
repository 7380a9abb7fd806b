internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_frame_get_info(
    _ frame: OpaquePointer!,
    _ info: UnsafeMutablePointer<frameshare_frame_info>!
) -> Int32 {
    answer { () throws(Failure) in
        let result = try handles.frames.with(frame) { (frame: inout Frame) throws(Failure) in
            var result = frameshare_frame_info()
            result.flags = frame.flags.rawValue
            result.sequence = frame.sequence
            result.number = frame.number
            result.timestamp = frame.timestamp.nanoseconds
            result.clock = UInt32(frame.timestamp.clock.rawValue)
            result.generation = frame.generation
            result.publish_timestamp = frame.publishTimestamp.nanoseconds
            result.lost_source = frame.lost.source
            result.lost_no_free_slot = frame.lost.noFreeSlot
            result.lost_policy = frame.lost.policy
            result.lost_unknown = frame.lost.isKnown ? 0 : 1
            result.stream_count = UInt32(clamping: frame.streamCount)
            result.metadata_size = UInt32(clamping: frame.metadata.byteCount)
            result.slot = UInt32(clamping: frame.slot)
            return result
        }
        try write(result, to: info, "info")
        return ok
    }
}

@c @implementation
public func frameshare_frame_image(
    _ frame: OpaquePointer!,
    _ stream: UnsafePointer<CChar>!,
    _ image: UnsafeMutablePointer<frameshare_image>!
) -> Int32 {
    answer { () throws(Failure) in
        let name = optionalText(stream)
        let result = try handles.frames.with(frame) { (frame: inout Frame) throws(Failure) in
            guard let name else { return try imageAt(0, frame) }
            guard let image = frame.image(name) else {
                throw Failure(.unknownStream(name: name, offered: frame.streams.map(\.name)))
            }
            return cImage(image)
        }
        guard let result else { return Int32(FRAMESHARE_NOT_FOUND) }
        try write(result, to: image, "image")
        return ok
    }
}

@c @implementation
public func frameshare_frame_image_at(
    _ frame: OpaquePointer!,
    _ index: Int,
    _ image: UnsafeMutablePointer<frameshare_image>!
) -> Int32 {
    answer { () throws(Failure) in
        let result = try handles.frames.with(frame) { (frame: inout Frame) throws(Failure) in
            try imageAt(index, frame)
        }
        guard let result else { return Int32(FRAMESHARE_NOT_FOUND) }
        try write(result, to: image, "image")
        return ok
    }
}

private func imageAt(_ index: Int, _ frame: borrowing Frame) throws(Failure) -> frameshare_image? {
    guard let image = frame.image(at: index) else { return nil }
    return cImage(image)
}

@c @implementation
public func frameshare_frame_is_revoked(_ frame: OpaquePointer!, _ revoked: UnsafeMutablePointer<Int32>!) -> Int32 {
    answer { () throws(Failure) in
        let revoked = try place(revoked, "revoked")
        revoked.pointee = try handles.frames.with(frame) { (frame: inout Frame) throws(Failure) in
            frame.isRevoked ? 1 : 0
        }
        return ok
    }
}

@c @implementation
public func frameshare_frame_original_point(
    _ frame: OpaquePointer!,
    _ x: Double,
    _ y: Double,
    _ originalX: UnsafeMutablePointer<Double>!,
    _ originalY: UnsafeMutablePointer<Double>!
) -> Int32 {
    answer { () throws(Failure) in
        let (outX, outY) = (try place(originalX, "original_x"), try place(originalY, "original_y"))
        let point = try handles.frames.with(frame) { (frame: inout Frame) throws(Failure) in
            frame.originalPlace.original(x: x, y: y)
        }
        (outX.pointee, outY.pointee) = point
        return ok
    }
}

@c @implementation
public func frameshare_frame_release(_ frame: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.frames.remove(frame) != nil else { throw .invalidHandle }
        return ok
    }
}

/// A handle for a frame that was taken.
func hand(_ frame: consuming Frame, to place: UnsafeMutablePointer<OpaquePointer?>) throws(Failure) -> Int32 {
    guard let handle = handles.frames.insert(frame) else { throw .tooManyHandles }
    place.pointee = handle
    return ok
}
