internal import FrameShare
internal import Glibc
internal import SystemPackage

/// A folder for one channel that nobody else uses, removed with this object.
final class PrivateFolder: Sendable {
    let directory: ChannelDirectory
    /// Letters and digits that no other such folder has now.
    let uniquePart: String

    /// Makes it in `/tmp`, whose path is short: a socket's path has at most 107 bytes.
    init() throws(ChannelError) {
        var template = Array("/tmp/frameshare-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw .directory(path: "/tmp", Errno(rawValue: errno))
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        directory = ChannelDirectory(path: path)
        uniquePart = String(path.suffix(6))
    }

    deinit {
        // Whatever a test has put there goes too, subfolders aside.
        if let folder = opendir(directory.path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != "." && name != ".." { unlink(directory.path + "/" + name) }
            }
            closedir(folder)
        }
        rmdir(directory.path)
    }
}
