/// The head of each FWHT frame: `struct fwht_cframe_hdr` of the kernel's `codec-fwht.h`, numbers big-endian.
enum FWHTHeader {
    private static let magic: [UInt8] = [0x4F, 0x4F, 0x4F, 0x4F, 0xFF, 0xFF, 0xFF, 0xFF]
    private static let flagsOffset = 20
    /// `V4L2_FWHT_FL_I_FRAME`, bit 10: in the third byte.
    private static let keyframe: UInt8 = 1 << 2

    /// Whether a frame can be decoded without those before it.
    static func isKeyframe(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= flagsOffset + 4 && bytes.starts(with: magic) && bytes[flagsOffset + 2] & keyframe != 0
    }
}
