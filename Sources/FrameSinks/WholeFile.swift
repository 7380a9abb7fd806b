internal import FrameShare
import Glibc
import SystemPackage

/// A file that is written completely or not at all: beside its place first, then renamed to it.
struct WholeFile {
    let path: String

    func write(_ bytes: [UInt8]) throws(SinkError) {
        var status = stat()
        if stat(PathText.cString(path), &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            // A pipe, terminal or device can't be replaced, only written to.
            // Without O_NONBLOCK, opening a pipe that nobody reads would wait for ever.
            let descriptor = open(PathText.cString(path), O_WRONLY | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else { throw .system(call: "open", path: path, Errno(rawValue: errno)) }
            _ = fcntl(descriptor, F_SETFL, 0)
            return try write(bytes, to: descriptor, isFile: false)
        }
        let place = target
        let (partial, descriptor) = try beside(place)
        do throws(SinkError) {
            try write(bytes, to: descriptor, isFile: true)
            guard rename(partial, place) == 0 else {
                throw .system(call: "rename", path: path, Errno(rawValue: errno))
            }
        } catch {
            unlink(partial)
            throw error
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
