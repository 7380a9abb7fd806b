import FrameShare
import Glibc

/// A folder for the channels of one cell, which goes with it.
final class ScratchFolder {
    private let path: String
    var directory: ChannelDirectory { ChannelDirectory(path: path) }

    init() throws {
        var template = Array("/tmp/copy-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChannelError.noDirectory }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Call it once the channels are closed.
    func remove(_ channels: [String]) {
        for name in channels {
            for ending in [".sock", ".sock.lock"] { unlink("\(path)/\(name)\(ending)") }
        }
        rmdir(path)
    }
}
