internal import Glibc

/// Where the machine tells of its memory. Tests point it at a tree of their own.
public struct MachinePaths: Sendable {
    public var dmaHeaps = "/dev/dma_heap"
    public var udmabuf = "/dev/udmabuf"
    public var memoryInfo = "/proc/meminfo"
    public var deviceTreeCompatible = "/proc/device-tree/compatible"
    public var controlGroup = "/proc/self/cgroup"
    public var controlGroups = "/sys/fs/cgroup"

    public init() {}

    /// The names of the DMA heaps that there are, sorted.
    public func heapNames() -> [String] {
        guard let folder = opendir(dmaHeaps) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether this is a Pi 5 or one of its kin, whose camera reaches all memory through an IOMMU.
    public var isBCM2712: Bool { text(of: deviceTreeCompatible)?.contains("brcm,bcm2712") ?? false }

    /// The heaps in the order to try: the Pi's own name, what its camera wants, what other boards call theirs.
    public func heapsInProbeOrder() -> [String] {
        var order = ["vidbuf_cached"]
        order += isBCM2712 ? ["system", "linux,cma"] : ["linux,cma", "reserved", "system"]
        if isBCM2712 { order.append("reserved") }
        return order
    }

    /// A line of `/proc/meminfo` in bytes, such as `MemAvailable` or `CmaFree`.
    public func memory(_ name: String) -> Int? {
        guard let text = text(of: memoryInfo) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard fields.count >= 2, let kilobytes = Int(fields[1]) else { return nil }
            let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1024)
            return overflow ? nil : bytes
        }
        return nil
    }

    /// What the control group of this process still allows (`memory.max` less `memory.current`), where it limits.
    public var controlGroupRoom: Int? {
        guard let group = text(of: controlGroup)?.split(separator: "\n").first(where: { $0.hasPrefix("0::") }) else {
            return nil
        }
        let folder = controlGroups + group.dropFirst(3)
        guard let limit = number(folder + "/memory.max"), let used = number(folder + "/memory.current") else {
            return nil
        }
        return max(0, limit - used)
    }

    private func number(_ path: String) -> Int? {
        text(of: path).flatMap { Int($0.split(separator: "\n").first ?? "") }
    }

    /// The first 64 KiB of a file as text; nil when it can't be read.
    func text(of path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 65536)
        var count = 0
        while count < bytes.count {
            let n = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress.map { $0 + count }, $0.count - count) }
            if n <= 0 { break }
            count += n
        }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
