import Foundation
import Glibc

/// A DMA buffer that a process has a descriptor of, as the kernel tells it in `/proc/PID/fdinfo`.
struct SharedBuffer: Hashable {
    /// The same for everyone who has the buffer.
    var inode: UInt64
    /// Who made it: a kernel module, or a heap.
    var exporter: String
    var size: Int
    /// Whether the descriptor allows reading only.
    var isReadOnly: Bool

    static func of(process: pid_t) throws -> Set<SharedBuffer> {
        let folder = "/proc/\(process)/fdinfo"
        var buffers: Set<SharedBuffer> = []
        for number in try FileManager.default.contentsOfDirectory(atPath: folder) {
            // It may have been closed since.
            guard let text = try? String(contentsOfFile: "\(folder)/\(number)", encoding: .utf8) else { continue }
            var fields: [Substring: Substring] = [:]
            for line in text.split(separator: "\n") {
                let parts = line.split(separator: ":\t", maxSplits: 1)
                if parts.count == 2 { fields[parts[0]] = parts[1] }
            }
            guard let exporter = fields["exp_name"], let inode = fields["ino"].flatMap({ UInt64($0) }),
                let size = fields["size"].flatMap({ Int($0) }),
                let flags = fields["flags"].flatMap({ Int32($0, radix: 8) })
            else { continue }
            buffers.insert(
                SharedBuffer(
                    inode: inode,
                    exporter: String(exporter),
                    size: size,
                    isReadOnly: flags & O_ACCMODE == O_RDONLY
                )
            )
        }
        return buffers
    }
}
