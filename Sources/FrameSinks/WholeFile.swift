import Glibc
import SystemPackage

/// A file that is written completely or not at all: beside its place first, then renamed to it.
struct WholeFile {
    let path: String

    func write(_ bytes: [UInt8]) throws(SinkError) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            // A pipe, terminal or device can't be replaced, only written to.
            try write(bytes, to: path, flags: O_WRONLY | O_CLOEXEC, as: path)
            return
        }
        let partial = "\(path).\(getpid()).partial"
        do throws(SinkError) {
            try write(bytes, to: partial, flags: O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, as: path)
            guard rename(partial, path) == 0 else {
                throw .system(call: "rename", path: path, Errno(rawValue: errno))
            }
        } catch {
            unlink(partial)
            throw error
        }
    }

    private func write(_ bytes: [UInt8], to file: String, flags: Int32, as path: String) throws(SinkError) {
        let descriptor = open(file, flags, 0o666)
        guard descriptor >= 0 else {
            throw .system(call: "open", path: path, Errno(rawValue: errno))
        }
        defer { close(descriptor) }
        var output = DescriptorOutput(descriptor: descriptor)
        do throws(SinkError) {
            try output.writeNow(bytes.span.bytes)
        } catch .system(let call, nil, let errno) {
            throw .system(call: call, path: path, errno)
        }
    }
}
