internal import Glibc

/// What can be said of a device file without opening it.
enum DeviceFile {
    /// `/dev/video*` in the order of their numbers.
    static func videoDevices() -> [String] {
        numbered(in: "/dev", prefix: "video").map { "/dev/video\($0)" }
    }

    /// The name of the group that owns the file, nil if it can't be told.
    static func owningGroup(of path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_gid != 0 else { return nil }
        var entry = group()
        var result: UnsafeMutablePointer<group>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            guard getgrgid_r(status.st_gid, &entry, buffer.baseAddress, buffer.count, &result) == 0, result != nil,
                let name = entry.gr_name
            else {
                return "\(status.st_gid)"
            }
            return String(cString: name)
        }
    }

    /// The other processes that have the file open, as far as this user may look (`/proc/PID/fd`): "zoom (pid 4711)".
    static func holders(of path: String) -> [String] {
        let own = getpid()
        var holders: [String] = []
        for pid in numbered(in: "/proc", prefix: "") where pid != own {
            let folder = "/proc/\(pid)/fd"
            let isHolder = numbered(in: folder, prefix: "").contains { link("\(folder)/\($0)") == path }
            if isHolder { holders.append("\(processName(pid)) (pid \(pid))") }
        }
        return holders
    }

    private static func processName(_ pid: Int32) -> String {
        guard let file = fopen("/proc/\(pid)/comm", "re") else { return "a program" }
        defer { fclose(file) }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let start = buffer.baseAddress, fgets(start, Int32(buffer.count), file) != nil else {
                return "a program"
            }
            return String(String(cString: start).prefix { $0 != "\n" })
        }
    }

    private static func link(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlink(path, start, buffer.count)
            guard count > 0, count < buffer.count else { return nil }
            return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// The numbers after `prefix` in the names of a folder's entries, in order.
    private static func numbered(in folder: String, prefix: String) -> [Int32] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var numbers: [Int32] = []
        while let entry = readdir(directory) {
            let name = cString(entry.pointee.d_name)
            if name.hasPrefix(prefix), let number = Int32(name.dropFirst(prefix.count)), number >= 0 {
                numbers.append(number)
            }
        }
        return numbers.sorted()
    }
}
