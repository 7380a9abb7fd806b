extension MachinePaths {
    /// What the control groups of this process still allow, where any limits: of its own group and all above it, the
    /// least (cgroup v2, Documentation/admin-guide/cgroup-v2.rst). What the kernel would drop for us, such as cached
    /// files, counts as free.
    public var controlGroupRoom: Int? {
        guard let line = text(of: controlGroup)?.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else {
            return nil
        }
        var group = line.dropFirst(3)
        if group == "/" { group = "" }
        var least: Int? = nil
        while true {
            if let room = room(inControlGroup: controlGroups + group) { least = min(least ?? room, room) }
            guard let end = group.lastIndex(of: "/") else { return least }
            group = group[..<end]
        }
    }

    private func room(inControlGroup folder: String) -> Int? {
        guard let limit = number(folder + "/memory.max"), let used = number(folder + "/memory.current"), limit >= 0,
            used >= 0
        else { return nil }
        var reclaimable = 0
        for line in text(of: folder + "/memory.stat")?.split(separator: "\n") ?? [] {
            let fields = line.split(separator: " ")
            guard fields.count == 2, ["inactive_file", "active_file", "slab_reclaimable"].contains(fields[0]),
                let bytes = Int(fields[1]), bytes >= 0
            else { continue }
            reclaimable += min(bytes, used - reclaimable)
        }
        return max(0, limit - (used - reclaimable))
    }
}
