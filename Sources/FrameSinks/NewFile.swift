internal import FrameShare
internal import Glibc

/// Files that are made, and never by accident in the place of others.
enum NewFile {
    /// Whether something has this name, be it a link to nothing.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(PathText.cString(path), &status) == 0
    }

    /// Whether this is a regular file, or a link to one.
    static func isRegular(_ path: String) -> Bool {
        var status = stat()
        return stat(PathText.cString(path), &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// Opens a pipe for writing, without waiting for a reader.
    /// - Returns: a descriptor; `-ENXIO` where nobody has the pipe open for reading; nil where this is no pipe, or can't be
    ///   opened
    static func openPipe(_ path: String) -> Int32? {
        var status = stat()
        guard stat(PathText.cString(path), &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return nil }
        let descriptor = Glibc.open(PathText.cString(path), O_WRONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor >= 0 { return descriptor }
        return errno == ENXIO ? -ENXIO : nil
    }

    /// Opens a file for writing.
    /// - Parameter overwrite: whether one that is there is emptied and used
    /// - Returns: a descriptor; or the negative number of what failed, `-EEXIST` where the file is there
    static func open(_ path: String, overwrite: Bool) -> Int32 {
        // Without O_NONBLOCK, opening a pipe that nobody reads would wait for ever.
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (overwrite ? O_TRUNC : O_EXCL)
        let descriptor = Glibc.open(PathText.cString(path), flags, 0o666)
        guard descriptor >= 0 else { return -errno }
        _ = fcntl(descriptor, F_SETFL, 0)
        return descriptor
    }
}
