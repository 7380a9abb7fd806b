internal import CLinuxMedia
internal import FrameShare
import Glibc
import SystemPackage

/// A file that is written completely or not at all: beside its place first, then renamed to it.
package struct WholeFile {
    private let path: String
    private let overwrite: Bool

    /// - Parameter overwrite: whether a file of this name is replaced
    package init(path: String, overwrite: Bool) { (self.path, self.overwrite) = (path, overwrite) }

    /// - Throws: ``SinkError/fileExists(_:)`` where there is one that is to stay
    package func checkPlace() throws(SinkError) {
        var status = stat()
        // What a pipe or a device had is not lost.
        if stat(PathText.cString(path), &status) == 0, status.st_mode & S_IFMT != S_IFREG { return }
        if !overwrite, NewFile.exists(path) { throw .fileExists(path) }
    }

    package func write(_ bytes: [UInt8]) throws(SinkError) {
        var status = stat()
        if stat(PathText.cString(path), &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            // A pipe, terminal or device can't be replaced, only written to.
            // Without O_NONBLOCK, opening a pipe that nobody reads would wait for ever.
            let descriptor = open(PathText.cString(path), O_WRONLY | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else { throw .system(call: "open", path: path, Errno(rawValue: errno)) }
            _ = fcntl(descriptor, F_SETFL, 0)
            return try write(bytes, to: descriptor, isFile: false)
        }
        try checkPlace()
        let place = target
        let (partial, descriptor) = try beside(place)
        do throws(SinkError) {
            try write(bytes, to: descriptor, isFile: true)
            try move(partial, to: place)
        } catch {
            unlink(partial)
            throw error
        }
    }

    private func move(_ partial: [CChar], to place: [CChar]) throws(SinkError) {
        if !overwrite {
            // A file that has come meanwhile stays.
            switch -fs_rename_new(partial, place) {
            case 0: return
            case EEXIST: throw .fileExists(path)
            case EINVAL, ENOSYS: break
            case let error: throw .system(call: "rename", path: path, Errno(rawValue: error))
            }
            // Not on this file system: the name is taken first.
            let made = NewFile.open(path, overwrite: false)
            guard made >= 0 else {
                throw made == -EEXIST ? .fileExists(path) : .system(call: "open", path: path, Errno(rawValue: -made))
            }
            close(made)
        }
        guard rename(partial, place) == 0 else {
            let error = errno
            if !overwrite { unlink(place) }
            throw .system(call: "rename", path: path, Errno(rawValue: error))
        }
    }

    /// Where a link leads: the link stays, and its file is replaced.
    private var target: [CChar] {
        guard let resolved = realpath(PathText.cString(path), nil) else { return PathText.cString(path) }
        defer { free(resolved) }
        return Array(UnsafeBufferPointer(start: resolved, count: strlen(resolved) + 1))
    }

    /// A new file beside the place. One of this name that is there is somebody else's.
    private func beside(_ place: [CChar]) throws(SinkError) -> (name: [CChar], descriptor: Int32) {
        for number in 0..<100 {
            let ending = ".\(getpid()).\(number).partial"
            let name = place.dropLast() + ending.utf8.map(CChar.init(bitPattern:)) + [0]
            let descriptor = open(Array(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor >= 0 { return (Array(name), descriptor) }
            guard errno == EEXIST else { break }
        }
        throw .system(call: "open", path: path, Errno(rawValue: errno))
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32, isFile: Bool) throws(SinkError) {
        var output = DescriptorOutput(descriptor: descriptor)
        do throws(SinkError) {
            try output.writeNow(bytes.span.bytes)
            // Else its name could be there after a loss of power, and not its bytes.
            if isFile, fsync(descriptor) != 0 { throw .system(call: "fsync", path: nil, Errno(rawValue: errno)) }
        } catch {
            close(descriptor)
            if case .system(let call, nil, let errno) = error { throw .system(call: call, path: path, errno) }
            throw error
        }
        // Some file systems say only now that there was no room.
        guard close(descriptor) == 0 || errno == EINTR else {
            throw .system(call: "close", path: path, Errno(rawValue: errno))
        }
    }
}
