/// The arithmetic before an allocation: no kernel call is needed to know that 40 GB won't fit into 24.
struct MemoryBudget {
    let paths: MachinePaths

    /// Throws when the machine, or the control group, has no room for so many bytes of any kind.
    func check(total: Int) throws(MemoryError) {
        if let available = paths.memory("MemAvailable"), total > available {
            throw .doesNotFit(asked: total, available: available, where: "MemAvailable")
        }
        if let room = paths.controlGroupRoom, total > room {
            throw .doesNotFit(asked: total, available: room, where: "the control group's memory.max")
        }
    }

    /// Throws when a heap takes from contiguous memory, and not so much of that is free.
    func check(heap: String, total: Int) throws(MemoryError) {
        guard paths.isContiguous(heap: heap), let all = paths.memory("CmaTotal"), all > 0,
            let free = paths.memory("CmaFree"), total > free
        else { return }
        throw .doesNotFit(asked: total, available: free, where: "CmaFree")
    }

    /// Throws when one udmabuf may not be so large.
    func check(udmabuf size: Int) throws(MemoryError) {
        guard let megabytes = paths.number(paths.udmabufLimit), megabytes < 1 << 40, size > megabytes << 20 else {
            return
        }
        throw .doesNotFit(
            asked: size,
            available: megabytes << 20,
            where: "one udmabuf; 'echo 1024 | sudo tee \(paths.udmabufLimit)' allows more"
        )
    }
}
