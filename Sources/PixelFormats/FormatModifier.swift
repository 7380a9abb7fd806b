/// The DRM format modifiers this module knows: how the samples a fourcc names are packed or compressed in memory.
///
/// The numbers are those of `drm_fourcc.h`; the Raspberry Pi's are in libcamera's copy of it.
public enum FormatModifier {
    /// `DRM_FORMAT_MOD_LINEAR`: rows one after the other, nothing packed.
    public static let linear: UInt64 = 0

    /// `MIPI_FORMAT_MOD_CSI2_PACKED`: 10, 12 and 14-bit samples packed without gaps, as MIPI CSI-2 sends them.
    public static let csi2Packed: UInt64 = 0x0b00_0000_0000_0001

    /// `PISP_FORMAT_MOD_COMPRESS_MODE1`: 16-bit samples coded in 8 bits by a Raspberry Pi 5's camera front end.
    public static let pispCompressMode1: UInt64 = 0x0c00_0000_0000_0001
}
