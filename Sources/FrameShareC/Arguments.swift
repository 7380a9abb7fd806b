internal import FrameShare
internal import FrameShareCHeader

/// A caller's text; nil for NULL. Bytes that are no UTF-8 are replaced, and then found by no name.
func optionalText(_ text: UnsafePointer<CChar>?) -> String? { text.map { String(cString: $0) } }

/// A caller's text, which must be there.
func text(_ text: UnsafePointer<CChar>?, _ parameter: String) throws(Failure) -> String {
    guard let text = optionalText(text) else { throw .null(parameter) }
    return text
}

/// Where to write a result, which must be there.
func place<T>(_ pointer: UnsafeMutablePointer<T>?, _ parameter: String) throws(Failure) -> UnsafeMutablePointer<T> {
    guard let pointer else { throw .null(parameter) }
    return pointer
}

/// Where to write a handle, which is NULL until the call has succeeded.
func handlePlace(
    _ pointer: UnsafeMutablePointer<OpaquePointer?>?,
    _ parameter: String
) throws(Failure) -> UnsafeMutablePointer<OpaquePointer?> {
    let pointer = try place(pointer, parameter)
    pointer.pointee = nil
    return pointer
}

/// Waiting times: below 0 never ends.
func duration(_ nanoseconds: Int64) -> Duration? { nanoseconds < 0 ? nil : .nanoseconds(nanoseconds) }

func channelDirectory(_ path: UnsafePointer<CChar>?) -> ChannelDirectory? {
    path.map { ChannelDirectory(path: PathText.text(cString: $0)) }
}

/// Writes text and its zero byte into a caller's buffer.
/// - Throws: `TOO_SMALL` after `needed` was set
func write(
    _ text: String,
    to buffer: UnsafeMutablePointer<CChar>?,
    size: Int,
    needed: UnsafeMutablePointer<Int>?
) throws(Failure) {
    needed?.pointee = text.utf8.count + 1
    guard let buffer, size > text.utf8.count else {
        throw Failure(FRAMESHARE_ERROR_TOO_SMALL, "\(text.utf8.count + 1) bytes are needed, \(size) were given")
    }
    copy(text, into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
}

/// Writes text and a zero byte, cut off where it does not fit.
func copy(_ text: String, into room: UnsafeMutableRawBufferPointer) {
    guard room.count > 0 else { return }
    var text = text
    let size = text.withUTF8 { bytes in
        var size = min(bytes.count, room.count - 1)
        // Not in the middle of a character.
        if size < bytes.count { while size > 0 && bytes[size] & 0xC0 == 0x80 { size -= 1 } }
        UnsafeMutableRawBufferPointer(rebasing: room[..<size])
            .copyMemory(from: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[..<size])))
        return size
    }
    room[size] = 0
}

/// The text in an array of characters of a caller's struct, up to its zero byte.
func text(in room: UnsafeRawBufferPointer) -> String { String(decoding: room.prefix { $0 != 0 }, as: UTF8.self) }

// MARK: structs that may grow

/// Reads a caller's struct that begins with its `struct_size`: what it lacks is zero, what it has more must be zero.
/// - Parameter pointer: may be NULL where `optional`: then all of it is zero
func read<T: BitwiseCopyable>(
    _ pointer: UnsafePointer<T>?,
    _ zero: T,
    _ parameter: String,
    optional: Bool = false
) throws(Failure) -> T {
    guard let pointer else {
        if optional { return zero }
        throw .null(parameter)
    }
    let size = try structSize(pointer, parameter)
    let known = MemoryLayout<T>.size
    let given = UnsafeRawBufferPointer(start: pointer, count: size)
    guard given.dropFirst(known).allSatisfy({ $0 == 0 }) else {
        throw .invalid(
            "'\(parameter)' has members that this release (\(String(cString: fs_c_version()))) does not know; set them to 0"
        )
    }
    var value = zero
    withUnsafeMutableBytes(of: &value) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: given.prefix(known))) }
    return value
}

/// Writes a struct that begins with its `struct_size`, as much of it as the caller's has.
func write<T: BitwiseCopyable>(
    _ value: T,
    to pointer: UnsafeMutablePointer<T>?,
    _ parameter: String
) throws(Failure) {
    let pointer = try place(pointer, parameter)
    let size = try structSize(pointer, parameter)
    let room = UnsafeMutableRawBufferPointer(start: pointer, count: size)
    withUnsafeBytes(of: value) { bytes in
        let written = min(bytes.count, size)
        UnsafeMutableRawBufferPointer(rebasing: room[4..<written])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[4..<written]))
    }
}

/// Throws unless ``write(_:to:_:)`` can write to this place.
func checkRoom<T>(_ pointer: UnsafeMutablePointer<T>?, _ parameter: String) throws(Failure) {
    _ = try structSize(try place(pointer, parameter), parameter)
}

/// The size that a caller's struct says it has. Only its first four bytes are read.
private func structSize<T>(_ pointer: UnsafePointer<T>, _ parameter: String) throws(Failure) -> Int {
    let size = Int(UnsafeRawPointer(pointer).loadUnaligned(as: UInt32.self))
    // Beyond any struct of any release: a struct that was never initialised.
    guard (8...65536).contains(size) else {
        throw .invalid("'\(parameter)' has struct_size \(size): begin with its frameshare_..._init() function")
    }
    return size
}

private func structSize<T>(_ pointer: UnsafeMutablePointer<T>, _ parameter: String) throws(Failure) -> Int {
    try structSize(UnsafePointer(pointer), parameter)
}
