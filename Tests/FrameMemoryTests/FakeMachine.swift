import FrameMemory
import Glibc

/// A tree that looks like a machine's, so that any machine can be seen anywhere. What isn't given isn't there.
/// Gone with its owner: its `paths` alone don't keep it.
struct FakeMachine: ~Copyable {
    let folder: ScratchFolder
    private(set) var paths = MachinePaths()

    init(heaps: [String] = [], memory: String? = nil, compatible: String? = nil, processor: String = "") throws {
        folder = try ScratchFolder()
        paths.dmaHeaps = folder.path + "/heaps"
        mkdir(paths.dmaHeaps, 0o700)
        for heap in heaps { folder.write("", to: "heaps/" + heap) }
        paths.udmabuf = folder.path + "/udmabuf"
        paths.udmabufLimit = folder.path + "/size_limit_mb"
        if let memory { paths.memoryInfo = folder.write(memory, to: "meminfo") }
        paths.deviceTreeCompatible = folder.path + "/compatible"
        if let compatible { folder.write(compatible, to: "compatible") }
        paths.processorInfo = folder.write(processor, to: "cpuinfo")
        paths.controlGroup = folder.path + "/cgroup"
        paths.controlGroups = folder.path + "/cgroups"
        paths.hugePageSetting = folder.path + "/shmem_enabled"
        paths.hugePageSize = folder.path + "/hpage_pmd_size"
    }

    /// Puts this process in a control group, such as `/user/camera`.
    func controlGroup(_ name: String) { folder.write("1:name=systemd:/\n0::\(name)\n", to: "cgroup") }

    func controlGroup(_ name: String, limit: String, used: Int, statistics: String = "") {
        folder.write("\(limit)\n", to: "cgroups\(name)/memory.max")
        folder.write("\(used)\n", to: "cgroups\(name)/memory.current")
        folder.write(statistics, to: "cgroups\(name)/memory.stat")
    }
}
