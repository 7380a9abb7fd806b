internal import CLinuxMedia
internal import Glibc

/// Both ends of a pipe. No program that is started inherits them, unless it is given them.
package struct Pipe: Sendable {
    package let read: Int32
    package let write: Int32

    package init() throws(CommandFailure) {
        var (read, write) = (Int32(-1), Int32(-1))
        let result = fs_pipe(&read, &write)
        guard result == 0 else { throw CommandFailure("no pipe can be made: \(String(cString: strerror(-result)))") }
        (self.read, self.write) = (read, write)
    }
}
