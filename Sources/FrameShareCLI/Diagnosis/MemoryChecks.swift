import FrameCommand
import FrameJSON
import FrameMemory
import Glibc
import SystemPackage

extension DoctorCheck {
    /// What frames can live in here: what the machine says of itself, and what comes of allocating a page of each kind.
    static func memory(_ machine: MachineMemory) -> [DoctorCheck] {
        [memfd(machine), heaps(machine), udmabuf(machine), contiguous(machine), ordinary(machine), hugePages(machine)]
    }

    /// Allocates and frees one page.
    private static func attempt(_ preference: MemoryPreference) -> Result<AllocationReport, MemoryError> {
        do throws(MemoryError) {
            let allocator = BufferAllocator(preference: preference)
            return .success(try allocator.allocate(count: 1, size: 4096, name: "frameshare-doctor").report)
        } catch {
            return .failure(error)
        }
    }

    /// Ordinary memory, without which nothing can be shared: the channel's own tables are in it too.
    private static func memfd(_ machine: MachineMemory) -> DoctorCheck {
        switch attempt(.memfd) {
        case .success(let report) where report.writeProtection == .sealed:
            DoctorCheck(
                name: "memfd",
                state: .ok,
                detail: ["sealed: readers can't write, shrink or grow what they are given"],
                isVital: true
            )
        case .success(let report):
            DoctorCheck(
                name: "memfd",
                state: .note,
                detail: ["works, but readers can't be kept from writing: the seal is \(machine.futureWriteSeal.text)"]
                    + report.notes,
                remedy: "Linux 5.1 or later has the seal for that (F_SEAL_FUTURE_WRITE)",
                isVital: true
            )
        case .failure(let error):
            DoctorCheck(
                name: "memfd",
                state: .missing,
                detail: ["\(error)"],
                remedy: "Linux 3.17 or later has it; a container's seccomp profile may forbid memfd_create",
                isVital: true
            )
        }
    }

    /// Memory that devices can import.
    private static func heaps(_ machine: MachineMemory) -> DoctorCheck {
        let paths = MachinePaths()
        guard !machine.heaps.isEmpty else {
            return DoctorCheck(
                name: "DMA heaps",
                state: .note,
                detail: ["none in \(paths.dmaHeaps)"],
                remedy: "only for memory that is imported into cameras and GPUs: a kernel with CONFIG_DMABUF_HEAPS; "
                    + "in a container, pass \(paths.dmaHeaps) in"
            )
        }
        var check = DoctorCheck(name: "DMA heaps", state: .ok, detail: [])
        var works = false
        for heap in machine.heaps {
            if let error = heap.error {
                check.detail.append("\(heap.path): \(error)")
                if heap.isRefused, check.remedy == nil {
                    check.remedy = permissionAdvice(heap, "SUBSYSTEM==\"dma_heap\"")
                }
                continue
            }
            let name = heap.path.split(separator: "/").last.map(String.init) ?? heap.path
            switch attempt(.dmaHeap(name)) {
            case .success(let report):
                works = true
                let origin = heap.isContiguous ? ", of the contiguous memory" : ""
                check.detail.append("\(heap.path): usable\(origin); \(report.writeProtection.explanation)")
            case .failure(let error): check.detail.append("\(heap.path): \(error)")
            }
        }
        if !works { check.state = check.remedy == nil ? .note : .missing }
        check.detail.append("tried in this order: \(paths.heapsInProbeOrder().joined(separator: ", "))")
        return check
    }

    /// Ordinary memory as a DMA buffer.
    private static func udmabuf(_ machine: MachineMemory) -> DoctorCheck {
        let device = machine.udmabuf
        if device.error == .noSuchFileOrDirectory {
            return DoctorCheck(
                name: "udmabuf",
                state: .note,
                detail: ["no \(device.path)"],
                remedy: "only for ordinary memory that is imported into devices: 'sudo modprobe udmabuf', "
                    + "or a kernel with CONFIG_UDMABUF"
            )
        }
        switch attempt(.udmabuf) {
        case .success(let report):
            return DoctorCheck(
                name: "udmabuf",
                state: .ok,
                detail: ["\(device.path): usable; \(report.writeProtection.explanation)"] + report.notes
            )
        case .failure(let error):
            return DoctorCheck(
                name: "udmabuf",
                state: device.isRefused ? .missing : .note,
                detail: ["\(error)"],
                remedy: device.isRefused ? permissionAdvice(device, "KERNEL==\"udmabuf\"") : nil
            )
        }
    }

    /// - Parameter match: how a udev rule finds the device
    private static func permissionAdvice(_ device: MachineMemory.Device, _ match: String) -> String {
        guard let group = device.group else {
            return "\(device.path) is its owner's alone: a udev rule can give it to group video: "
                + "'\(match), GROUP=\"video\", MODE=\"0660\"'"
        }
        let user = UserName.of(geteuid())
        return "\(device.path) is for group '\(group)': 'sudo usermod -aG \(group) \(user)', log in again"
    }

    /// The contiguous memory that a Raspberry Pi's camera needs.
    private static func contiguous(_ machine: MachineMemory) -> DoctorCheck {
        guard let total = machine.contiguousTotal, total > 0 else {
            return DoctorCheck(
                name: "CMA",
                state: .ok,
                detail: ["none set aside; only some cameras (Raspberry Pi 4 and before) need it"]
            )
        }
        let free = machine.contiguousFree ?? 0
        let isTight = free < 32 << 20
        return DoctorCheck(
            name: "CMA",
            state: isTight ? .note : .ok,
            detail: ["\(Quantities.bytes(free)) free of \(Quantities.bytes(total))"],
            remedy: isTight
                ? "close programs that hold camera buffers, or set 'dtoverlay=vc4-kms-v3d,cma-256' (Raspberry Pi), "
                    + "'cma=256M' on the kernel's command line (elsewhere)" : nil
        )
    }

    private static func ordinary(_ machine: MachineMemory) -> DoctorCheck {
        guard let total = machine.total, let available = machine.available else {
            return DoctorCheck(name: "memory", state: .note, detail: ["\(MachinePaths().memoryInfo) can't be read"])
        }
        var check = DoctorCheck(
            name: "memory",
            state: .ok,
            detail: ["\(Quantities.bytes(available)) available of \(Quantities.bytes(total))"]
        )
        if let room = machine.controlGroupRoom {
            check.detail.append("this control group may use \(Quantities.bytes(room)) more (memory.max)")
        }
        if let limit = machine.fileSizeLimit.soft {
            check.detail.append("a buffer may have \(Quantities.bytes(limit)) at most ('ulimit -f')")
        }
        if let limit = machine.addressSpaceLimit.soft {
            check.detail.append("a process may map \(Quantities.bytes(limit)) at most ('ulimit -v')")
        }
        return check
    }

    /// Huge pages make the first writes to large frames many times cheaper.
    private static func hugePages(_ machine: MachineMemory) -> DoctorCheck {
        guard let choice = machine.allowedHugePages else {
            return DoctorCheck(name: "huge pages", state: .ok, detail: ["this kernel has none for shared memory"])
        }
        let isOn = ["always", "within_size", "advise", "force"].contains(choice)
        let path = MachinePaths().hugePageSetting
        return DoctorCheck(
            name: "huge pages",
            state: .ok,
            detail: ["for shared memory: \(choice)"],
            remedy: isOn ? nil : "optional, quicker starts with large frames: 'echo advise | sudo tee \(path)'"
        )
    }
}

extension MachineMemory.Device {
    /// There, but not for this user.
    fileprivate var isRefused: Bool { error == .permissionDenied || error == .notPermitted }
}

extension MachineMemory.Outcome {
    fileprivate var text: String {
        switch self {
        case .works: "there"
        case .refused(let error): "refused (\(error))"
        case .untried: "out of reach"
        }
    }
}
