/// The arithmetic before an allocation: no kernel call is needed to know that 40 GB won't fit into 24.
public struct MemoryBudget: Sendable {
    let paths: MachinePaths

    public init(paths: MachinePaths = MachinePaths()) { self.paths = paths }

    /// Throws when the machine has no room for buffers that a driver or a library makes: a driver that is asked for more
    /// than there is has other programs, or this one, killed. The kernel keeps a sixteenth of what is available.
    ///
    /// - Parameters:
    ///   - count: how many buffers
    ///   - sizes: the bytes of each buffer's parts
    ///   - maker: for whose buffers, for the error's text
    /// - Throws: `doesNotFit`, `badSize`.
    public func check(count: Int, sizes: [Int], madeBy maker: String) throws(MemoryError) {
        var each = 0
        for size in sizes {
            let (sum, overflow) = each.addingReportingOverflow(MemoryPage.roundedUp(max(0, size)) ?? .max)
            guard !overflow else { throw .badSize(.max) }
            each = sum
        }
        let (total, overflow) = each.multipliedReportingOverflow(by: max(0, count))
        guard !overflow else { throw .badSize(each) }
        guard let available = paths.memory("MemAvailable") else { return }
        let room = available - available / 16
        if total > room {
            throw .doesNotFit(asked: total, available: room, where: "of MemAvailable, for \(count) buffers of \(maker)")
        }
    }

    /// The bytes that are free for use, on the machine and in the control group; nil: not told.
    public var available: Int? {
        [paths.memory("MemAvailable"), paths.controlGroupRoom].compactMap(\.self).min()
    }

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
