/// Bytes that stay where they are.
// @unchecked: written once, at the beginning, and freed with the object.
final class CBytes: @unchecked Sendable {
    let raw: UnsafeRawBufferPointer

    init(_ bytes: [UInt8]) {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 8)
        room.copyBytes(from: bytes)
        raw = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<bytes.count])
    }

    deinit { raw.deallocate() }

    /// The text that begins at `offset`; NULL below 0. Its zero byte was put there.
    func text(at offset: Int) -> UnsafePointer<CChar>? {
        guard raw.indices.contains(offset) else { return nil }
        return raw.baseAddress.map { ($0 + offset).assumingMemoryBound(to: CChar.self) }
    }
}
