import FrameMemory
import Glibc

extension DoctorCheck {
    /// What frames can live in here, found out by allocating a page of each.
    static func memory() -> [DoctorCheck] {
        let paths = MachinePaths()
        return [memfd(), heaps(paths), udmabuf(paths), contiguous(paths), ordinary(paths), hugePages()]
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
    private static func memfd() -> DoctorCheck {
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
                detail: ["works, but readers can't be kept from writing"] + report.notes,
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
    private static func heaps(_ paths: MachinePaths) -> DoctorCheck {
        let names = paths.heapNames()
        guard !names.isEmpty else {
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
        for name in names {
            let path = paths.dmaHeaps + "/" + name
            switch attempt(.dmaHeap(name)) {
            case .success(let report):
                works = true
                check.detail.append("\(path): usable; \(report.writeProtection.explanation)")
            case .failure(let error):
                check.detail.append("\(path): \(error)")
                if access(path, R_OK | W_OK) != 0, check.remedy == nil { check.remedy = permissionAdvice(path) }
            }
        }
        if !works { check.state = check.remedy == nil ? .note : .missing }
        check.detail.append("tried in this order: \(paths.heapsInProbeOrder().joined(separator: ", "))")
        return check
    }

    /// Ordinary memory as a DMA buffer.
    private static func udmabuf(_ paths: MachinePaths) -> DoctorCheck {
        guard access(paths.udmabuf, F_OK) == 0 else {
            return DoctorCheck(
                name: "udmabuf",
                state: .note,
                detail: ["no \(paths.udmabuf)"],
                remedy: "only for ordinary memory that is imported into devices: 'sudo modprobe udmabuf', "
                    + "or a kernel with CONFIG_UDMABUF"
            )
        }
        switch attempt(.udmabuf) {
        case .success(let report):
            return DoctorCheck(
                name: "udmabuf",
                state: .ok,
                detail: ["\(paths.udmabuf): usable; \(report.writeProtection.explanation)"] + report.notes
            )
        case .failure(let error):
            let mayOpen = access(paths.udmabuf, R_OK | W_OK) == 0
            return DoctorCheck(
                name: "udmabuf",
                state: mayOpen ? .note : .missing,
                detail: ["\(error)"],
                remedy: mayOpen ? nil : permissionAdvice(paths.udmabuf)
            )
        }
    }

    private static func permissionAdvice(_ path: String) -> String {
        var status = stat()
        guard stat(path, &status) == 0, let group = getgrgid(status.st_gid), status.st_gid != 0 else {
            let match = path.hasSuffix("udmabuf") ? "KERNEL==\"udmabuf\"" : "SUBSYSTEM==\"dma_heap\""
            return "\(path) is root's alone: a udev rule can give it to group video: "
                + "'\(match), GROUP=\"video\", MODE=\"0660\"'"
        }
        let name = String(cString: group.pointee.gr_name)
        return
            "\(path) is for group '\(name)': 'sudo usermod -aG \(name) \(UserArgument.name(geteuid()))', log in again"
    }

    /// The contiguous memory that a Raspberry Pi's camera needs.
    private static func contiguous(_ paths: MachinePaths) -> DoctorCheck {
        guard let total = paths.memory("CmaTotal"), total > 0 else {
            return DoctorCheck(
                name: "CMA",
                state: .ok,
                detail: ["none set aside; only some cameras (Raspberry Pi 4 and before) need it"]
            )
        }
        let free = paths.memory("CmaFree") ?? 0
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

    private static func ordinary(_ paths: MachinePaths) -> DoctorCheck {
        guard let total = paths.memory("MemTotal"), let available = paths.memory("MemAvailable") else {
            return DoctorCheck(name: "memory", state: .note, detail: ["\(paths.memoryInfo) can't be read"])
        }
        var check = DoctorCheck(
            name: "memory",
            state: .ok,
            detail: ["\(Quantities.bytes(available)) available of \(Quantities.bytes(total))"]
        )
        if let room = paths.controlGroupRoom {
            check.detail.append("this control group may use \(Quantities.bytes(room)) more (memory.max)")
        }
        return check
    }

    /// Huge pages make the first writes to large frames many times cheaper.
    private static func hugePages() -> DoctorCheck {
        let path = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
        guard let file = fopen(path, "re") else {
            return DoctorCheck(name: "huge pages", state: .ok, detail: ["this kernel has none for shared memory"])
        }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 128)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else {
            return DoctorCheck(name: "huge pages", state: .ok, detail: ["\(path) can't be read"])
        }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let choice = text.split(separator: "[").last?.split(separator: "]").first.map(String.init) ?? "unknown"
        let isOn = ["always", "within_size", "advise", "force"].contains(choice)
        return DoctorCheck(
            name: "huge pages",
            state: .ok,
            detail: ["for shared memory: \(choice)"],
            remedy: isOn ? nil : "optional, quicker starts with large frames: 'echo advise | sudo tee \(path)'"
        )
    }
}
