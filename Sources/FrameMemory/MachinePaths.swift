internal import CLinuxMedia
internal import Glibc

/// Where the machine tells of its memory. Tests point it at a tree of their own.
public struct MachinePaths: Sendable {
    public var dmaHeaps = "/dev/dma_heap"
    public var udmabuf = "/dev/udmabuf"
    /// The largest udmabuf in MiB, a parameter of its module.
    public var udmabufLimit = "/sys/module/udmabuf/parameters/size_limit_mb"
    public var memoryInfo = "/proc/meminfo"
    /// The mappings of this process, with the pages that they have.
    public var mappings = "/proc/self/smaps"
    public var processorInfo = "/proc/cpuinfo"
    public var deviceTreeCompatible = "/proc/device-tree/compatible"
    public var controlGroup = "/proc/self/cgroup"
    public var controlGroups = "/sys/fs/cgroup"
    public var hugePageSetting = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
    public var hugePageSize = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"

    /// The paths of a running Linux.
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
    public var isBCM2712: Bool {
        if let compatible = text(of: deviceTreeCompatible) { return compatible.contains("brcm,bcm2712") }
        // Containers often hide the device tree. New-style revision codes (bit 23) have the chip in bits 12 to 15.
        let revision = field("Revision", of: processorInfo).flatMap { UInt32($0, radix: 16) } ?? 0
        return revision >> 23 & 1 == 1 && revision >> 12 & 0xf == 4
    }

    /// The heaps in the order to try: the Pi's own name, what its camera wants, what other boards call theirs.
    public func heapsInProbeOrder() -> [String] {
        // Linux 6.17 renamed the contiguous heap `default_cma_region`; the older names may be there or not.
        isBCM2712
            ? ["vidbuf_cached", "system", "linux,cma", "reserved", "default_cma_region"]
            : ["vidbuf_cached", "linux,cma", "reserved", "default_cma_region", "system"]
    }

    /// Whether a heap takes from the contiguous memory set aside at boot (CMA). Links are followed: `vidbuf_cached` is
    /// one.
    public func isContiguous(heap name: String) -> Bool {
        let path = dmaHeaps + "/" + name
        var target = name
        if let resolved = realpath(path, nil) {
            defer { free(resolved) }
            target = String(cString: resolved).split(separator: "/").last.map(String.init) ?? name
        }
        if target == "vidbuf_cached" { return !isBCM2712 }
        return ["linux,cma", "reserved", "default_cma_region", "default-pool"].contains(target)
    }

    /// A line of `/proc/meminfo` in bytes, such as `MemAvailable` or `CmaFree`.
    public func memory(_ name: String) -> Int? {
        guard let kilobytes = field(name, of: memoryInfo)?.split(separator: " ").first.flatMap({ Int($0) }) else {
            return nil
        }
        let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1024)
        return overflow ? nil : bytes
    }

    /// Which huge pages shared memory may have: `never`, `advise`, `within_size`, `always`, `force` or `deny`; nil:
    /// the kernel has none.
    public var allowedHugePages: String? {
        guard let text = text(of: hugePageSetting), let open = text.firstIndex(of: "[") else { return nil }
        return String(text[text.index(after: open)...].prefix { $0 != "]" })
    }

    /// The group that may open a device to read and write, by name; nil: nobody but its owner, or there is no such device.
    public func groupName(of path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & (S_IRGRP | S_IWGRP) == S_IRGRP | S_IWGRP, status.st_gid != 0
        else { return nil }
        var record = group()
        var found: UnsafeMutablePointer<group>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { room in
            guard getgrgid_r(status.st_gid, &record, room.baseAddress, room.count, &found) == 0, found != nil else {
                return "\(status.st_gid)"
            }
            return String(cString: record.gr_name)
        }
    }

    /// What a file with one number in it says.
    func number(_ path: String) -> Int? {
        text(of: path)?.split(separator: "\n").first.flatMap { Int($0) }
    }

    /// The value of a line `name: value`.
    private func field(_ name: String, of path: String) -> String? {
        guard let text = text(of: path) else { return nil }
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, Self.trimmed(parts[0]) == name else { continue }
            return Self.trimmed(parts[1])
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }

    /// The beginning of a file as text; nil when it can't be read.
    func text(of path: String, limit: Int = 65536) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var count = 0
        while count < limit {
            let n = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress.map { $0 + count }, $0.count - count) }
            if n < 0 && errno == EINTR { continue }
            if n < 0 && count == 0 { return nil }
            if n <= 0 { break }
            count += n
        }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
