import FrameMemory
import Glibc
import SystemPackage
import Testing

@Suite struct MachineTests {
    private static let contiguousFirst = ["vidbuf_cached", "linux,cma", "reserved", "default_cma_region", "system"]
    private static let systemFirst = ["vidbuf_cached", "system", "linux,cma", "reserved", "default_cma_region"]

    @Test("a Pi 5 prefers the system heap, other boards the contiguous one, and the Pi's own name comes first")
    func probeOrder() throws {
        let unknown = try FakeMachine()
        #expect(unknown.paths.heapsInProbeOrder() == Self.contiguousFirst)
        let pi4 = try FakeMachine(compatible: "raspberrypi,4-model-b\0brcm,bcm2711\0")
        #expect(pi4.paths.heapsInProbeOrder() == Self.contiguousFirst)
        let pi5 = try FakeMachine(compatible: "raspberrypi,5-model-b\0brcm,bcm2712\0")
        #expect(pi5.paths.heapsInProbeOrder() == Self.systemFirst)
    }

    @Test(
        "a container that hides the device tree still shows a Pi 5 by its revision code",
        arguments: [
            ("c04170", true), ("b04171", true), ("d04180", true),  // Pi 5, CM5
            ("c03114", false), ("a020d3", false), ("0010", false), ("4000", false), ("", false), ("zzz", false),
        ]
    )
    func revision(code: String, isPi5: Bool) throws {
        let processor = "processor\t: 0\nBogoMIPS\t: 108.00\n\nRevision\t: \(code)\nModel\t\t: Raspberry Pi\n"
        let hidden = try FakeMachine(processor: processor)
        #expect(hidden.paths.isBCM2712 == isPi5)
        // The device tree, where there is one, knows better.
        let shown = try FakeMachine(compatible: "brcm,bcm2711\0", processor: processor)
        #expect(shown.paths.isBCM2712 == false)
    }

    @Test("a heap's link is followed to know whether it takes from contiguous memory")
    func contiguousLinks() throws {
        let machine = try FakeMachine(heaps: ["linux,cma", "system"])
        let link = machine.paths.dmaHeaps + "/vidbuf_cached"
        #expect(machine.paths.isContiguous(heap: "vidbuf_cached"))
        #expect(symlink("system", link) == 0)
        #expect(machine.paths.isContiguous(heap: "vidbuf_cached") == false)
        unlink(link)
        #expect(symlink("linux,cma", link) == 0)
        #expect(machine.paths.isContiguous(heap: "vidbuf_cached"))
        #expect(machine.paths.isContiguous(heap: "system") == false)
        #expect(machine.paths.heapNames() == ["linux,cma", "system", "vidbuf_cached"])
    }

    @Test("what /proc/meminfo says is read in bytes, and nonsense is not read at all")
    func memory() throws {
        let empty = try FakeMachine(memory: "")
        #expect(empty.paths.memory("MemTotal") == nil)
        let machine = try FakeMachine(
            memory: "MemTotal:       24684092 kB\nMemAvailable: x kB\nCmaFree:9223372036854775807 kB\nCmaTotal:\nOdd"
        )
        #expect(machine.paths.memory("MemTotal") == 24_684_092 * 1024)
        for name in ["MemAvailable", "CmaFree", "CmaTotal", "Odd", "Mem"] {
            #expect(machine.paths.memory(name) == nil, "\(name)")
        }
    }

    @Test("of all control groups above, the tightest counts, and cached files in it count as free")
    func controlGroups() throws {
        let machine = try FakeMachine()
        #expect(machine.paths.controlGroupRoom == nil)
        machine.controlGroup("/user/camera")
        #expect(machine.paths.controlGroupRoom == nil)
        machine.controlGroup("/user/camera", limit: "max", used: 5)
        #expect(machine.paths.controlGroupRoom == nil)
        machine.controlGroup("/user", limit: "1000", used: 900, statistics: "anon 200\ninactive_file 300\nfile 700\n")
        #expect(machine.paths.controlGroupRoom == 400)
        machine.controlGroup("/user/camera", limit: "500", used: 200)
        #expect(machine.paths.controlGroupRoom == 300)
        // A container sees itself as the root, which has limits there.
        machine.controlGroup("/")
        machine.controlGroup("", limit: "50", used: 60)
        #expect(machine.paths.controlGroupRoom == 0)
        // Never more than the limit, whatever is claimed to be cached.
        machine.controlGroup("", limit: "50", used: 60, statistics: "active_file 9223372036854775807\n")
        #expect(machine.paths.controlGroupRoom == 50)
    }

    @Test("the machine's setting of huge pages is the bracketed word")
    func hugePages() throws {
        let machine = try FakeMachine()
        #expect(machine.paths.allowedHugePages == nil)
        machine.folder.write("always within_size [advise] never deny force\n", to: "shmem_enabled")
        #expect(machine.paths.allowedHugePages == "advise")
    }

    @Test("the survey finds what is there, and says who may open what this user may not")
    func survey() throws {
        let machine = try FakeMachine(heaps: ["linux,cma"], memory: "MemAvailable: 10 kB\nCmaTotal: 3 kB\n")
        let survey = MachineMemory(machine.paths)
        #expect(survey.heaps.map(\.path) == [machine.paths.dmaHeaps + "/linux,cma"])
        #expect(survey.heaps.first?.isContiguous == true && survey.heaps.first?.error == nil)
        #expect(survey.udmabuf.error == .noSuchFileOrDirectory)
        #expect(survey.sizeSeals == .works && survey.futureWriteSeal == .works)
        #expect(survey.udmabufOverSealed == .untried && survey.sealAfterUdmabuf == .untried)
        #expect(survey.available == 10240 && survey.contiguousTotal == 3072 && survey.contiguousFree == nil)
        #expect(survey.descriptorLimit.soft != nil)
    }

    @Test("a device's group is told by name, and only if the group may open it")
    func groups() throws {
        let machine = try FakeMachine(heaps: ["system"])
        let path = machine.paths.dmaHeaps + "/system"
        try #require(chmod(path, 0o600) == 0)
        #expect(machine.paths.groupName(of: path) == nil)
        #expect(machine.paths.groupName(of: "/nowhere") == nil)
        guard getuid() == 0, let group = getgrnam("video") else {
            print("skipped in part: not root, or no group 'video'")
            return
        }
        try #require(chown(path, 0, group.pointee.gr_gid) == 0 && chmod(path, 0o660) == 0)
        #expect(machine.paths.groupName(of: path) == "video")
        try #require(chmod(path, 0o440) == 0)
        #expect(machine.paths.groupName(of: path) == nil)
    }
}
