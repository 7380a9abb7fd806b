internal import FrameShare
internal import Glibc

/// What can be said of a device file without opening it.
enum DeviceFile {
    /// `/dev/video*` in the order of their numbers.
    static func videoDevices() -> [String] {
        numbered(in: "/dev", prefix: "video").map { "/dev/video\($0)" }
    }

    /// The name of the group whose members may open the file to read and write; nil: there is none, or this process has it
    /// already.
    static func owningGroup(of path: String) -> String? {
        var status = stat()
        guard stat(PathText.cString(path), &status) == 0, status.st_gid != 0 else { return nil }
        guard status.st_mode & (S_IRGRP | S_IWGRP) == S_IRGRP | S_IWGRP, !isMember(of: status.st_gid) else {
            return nil
        }
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

    private static func isMember(of gid: gid_t) -> Bool {
        if getegid() == gid { return true }
        let count = getgroups(0, nil)
        guard count > 0 else { return false }
        var groups = [gid_t](repeating: 0, count: Int(count))
        let read = getgroups(count, &groups)
        return groups.prefix(Int(max(0, read))).contains(gid)
    }

    /// The other processes that have the device open, as far as this user may look (`/proc/PID/fd`): "zoom (pid 4711)". They
    /// may have opened it by another name, such as a link of `/dev/v4l/by-id`.
    static func holders(of path: String) -> [String] {
        let own = getpid()
        var device = stat()
        guard stat(PathText.cString(path), &device) == 0 else { return [] }
        var holders: [String] = []
        for pid in numbered(in: "/proc", prefix: "") where pid != own {
            let folder = "/proc/\(pid)/fd"
            let isHolder = numbered(in: folder, prefix: "").contains { isSame(device, "\(folder)/\($0)") }
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

    /// Whether an open file is the device, under whatever name it was opened.
    private static func isSame(_ device: stat, _ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == device.st_mode & S_IFMT else { return false }
        if status.st_mode & S_IFMT == S_IFCHR { return status.st_rdev == device.st_rdev }
        return status.st_dev == device.st_dev && status.st_ino == device.st_ino
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
