import FrameJSON
import FrameMemory
import Glibc

extension DoctorCheck {
    /// File descriptors: a channel takes one for each stream, or for each buffer of a device, on either side.
    static func descriptors(_ limit: ProcessLimit) -> DoctorCheck {
        let isEnough = limit.soft.map { $0 >= 256 } ?? true
        let most = limit.hard.map { "\($0)" } ?? "as many as it likes"
        return DoctorCheck(
            name: "descriptors",
            state: isEnough ? .ok : .note,
            detail: [limit.soft.map { "at most \($0) open files in a process, \(most) if it asks" } ?? "no limit"],
            remedy: isEnough ? nil : "raise it: 'ulimit -n 4096'; each buffer of a camera is one descriptor"
        )
    }

    /// Who this is, and the groups that open cameras and heaps.
    static func groups() -> DoctorCheck {
        let user = UserName.of(geteuid())
        let count = getgroups(0, nil)
        var ids = [gid_t](repeating: 0, count: Int(max(0, count)))
        let read = getgroups(count, &ids)
        let names = ([getegid()] + ids.prefix(Int(max(0, read)))).map(groupName)
        var unique: [String] = []
        for name in names where !unique.contains(name) { unique.append(name) }
        var check = DoctorCheck(
            name: "groups",
            state: .ok,
            detail: ["user \(user), groups \(unique.joined(separator: ", "))"]
        )
        guard geteuid() != 0 else { return check }
        let wanted = ["video", "render", "kvm"].filter { getgrnam($0) != nil && !unique.contains($0) }
        if wanted.contains("video") {
            check.state = .note
            check.remedy =
                "cameras and DMA heaps mostly belong to a group: 'sudo usermod -aG video \(user)', log in again"
        }
        return check
    }

    private static func groupName(_ id: gid_t) -> String {
        getgrgid(id).map { String(cString: $0.pointee.gr_name) } ?? "\(id)"
    }

    /// The kernel.
    static func kernel() -> DoctorCheck {
        var name = utsname()
        uname(&name)
        return DoctorCheck(
            name: "kernel",
            state: .ok,
            detail: [
                withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } + " on "
                    + withUnsafeBytes(of: name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            ]
        )
    }
}
