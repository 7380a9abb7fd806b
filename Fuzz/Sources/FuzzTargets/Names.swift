@testable import FrameShare
@testable import PixelFormats

/// What people type: names of channels, streams, formats and colour spaces.
///
/// A channel's name never leaves its folder. Whatever a name was read as has a name that reads the same.
func fuzzNames(_ bytes: UnsafeRawBufferPointer) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let path = try? ChannelDirectory(path: "/run/frameshare").socketPath(of: text) {
        precondition(!text.contains("/") && !text.hasPrefix(".") && !text.utf8.contains(0), "a path, not a name")
        precondition(path.utf8.count <= 107 && path == "/run/frameshare/\(text).sock")
    }
    if Stream.isValidName(text) { precondition((try? ChannelName.check(text)) != nil) }
    if let format = PixelFormat(name: text) { precondition(PixelFormat(name: format.name) == format) }
    if let space = ColorSpace(name: text) { precondition(ColorSpace(name: space.name) == space) }
    if let code = FourCC(text) { precondition(FourCC(code.description) == code) }
}
