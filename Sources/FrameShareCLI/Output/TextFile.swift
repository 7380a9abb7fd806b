import FrameShare
import Glibc

/// A file that a command writes as a whole.
enum TextFile {
    static func write(_ text: String, to path: String) throws(CommandFailure) {
        func failure() -> CommandFailure {
            CommandFailure("\(path) can't be written: \(String(cString: strerror(errno)))")
        }
        let descriptor = open(PathText.cString(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure() }
        var isOpen = true
        defer { if isOpen { close(descriptor) } }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure() }
            rest = rest.dropFirst(count)
        }
        isOpen = false
        // Some file systems say only now that there was no room.
        guard close(descriptor) == 0 || errno == EINTR else { throw failure() }
    }
}
