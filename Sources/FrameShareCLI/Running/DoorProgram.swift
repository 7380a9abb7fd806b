import FrameCommand
import Glibc

/// A program of another package that is a subcommand here, such as `frameshare-v4l2`.
struct DoorProgram {
    let name: String
    /// Where it comes from, for people who have not got it.
    let how: String

    /// The program beside this one, else the one on the PATH, takes this process' place.
    /// - Throws: `CommandFailure` when there is none, or it can't be run.
    func become(_ arguments: [String]) throws -> Never {
        var words: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        // Ours to ignore, not the program's.
        signal(SIGPIPE, SIG_DFL)
        if let beside = Self.folder.map({ $0 + "/" + name }), access(beside, X_OK) == 0 { execv(beside, &words) }
        execvp(name, &words)
        let reason = errno
        guard reason != ENOENT else { throw CommandFailure("\(name) is not installed: \(how)") }
        throw CommandFailure("\(name): \(String(cString: strerror(reason)))")
    }

    /// The folder of this program.
    private static var folder: String? {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &path, path.count - 1)
        guard length > 0 else { return nil }
        let text = String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.lastIndex(of: "/").map { String(text[..<$0]) }
    }
}
