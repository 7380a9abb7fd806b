internal import ArgumentParser
package import FrameShare

/// Where a channel's frames are to live.
package enum MemoryArgument: Sendable, Hashable {
    /// The camera driver's own buffers, exported: nothing is copied.
    case driver
    /// A pool that the library allocates.
    case pool(MemoryPreference)

    package static func parse(_ text: String) throws -> MemoryArgument {
        if text == "driver" { return .driver }
        guard let preference = MemoryPreference(text) else {
            throw ValidationError("give auto, memfd, heap, heap:NAME, udmabuf, or (for a camera) driver")
        }
        return .pool(preference)
    }
}
