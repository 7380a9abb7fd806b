import CLinuxMedia
import Glibc

/// Both ends of a pipe. No program that is started inherits them, unless it is given them.
struct Pipe: Sendable {
    let read: Int32
    let write: Int32

    init() throws(CommandFailure) {
        var (read, write) = (Int32(-1), Int32(-1))
        let result = fs_pipe(&read, &write)
        guard result == 0 else { throw CommandFailure("no pipe can be made: \(String(cString: strerror(-result)))") }
        (self.read, self.write) = (read, write)
    }
}
