internal import FrameShare
internal import Glibc

/// The folder of the demo's channel: the usual one, so that other terminals can look at it too; a temporary one where there
/// is none to write to.
package struct DemoFolder {
    private let temporary: String?

    package init() throws(CommandFailure) {
        if let usual = try? ChannelDirectory.standard(), Self.isWritable(usual.path) {
            temporary = nil
            return
        }
        var template = Array("/tmp/frameshare-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure(
                "no temporary folder can be made in /tmp: \(String(cString: strerror(errno))). "
                    + "Set FRAMESHARE_DIR to a folder that you may write to"
            )
        }
        let path = template.withUnsafeBufferPointer { String(decoding: $0.dropLast().map(UInt8.init), as: UTF8.self) }
        setenv("FRAMESHARE_DIR", path, 1)
        temporary = path
    }

    /// Whether a channel's socket can be made there, which may have to be made itself.
    private static func isWritable(_ path: String) -> Bool {
        if access(PathText.cString(path), W_OK | X_OK) == 0 { return true }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/") else { return false }
        let parent = String(path[..<slash])
        return access(PathText.cString(parent.isEmpty ? "/" : parent), W_OK | X_OK) == 0
    }

    package func remove() {
        guard let temporary else { return }
        rmdir(temporary)
    }
}
