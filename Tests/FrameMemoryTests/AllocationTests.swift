import FrameMemory
import Glibc
import SystemPackage
import Testing

@Suite struct AllocationTests {
    @Test("the report says what was used, and why each earlier source did not do")
    func report() throws {
        let machine = try FakeMachine(heaps: ["system"])
        let allocator = BufferAllocator(preference: .automatic, paths: machine.paths)
        let (buffers, report) = try allocator.allocate(count: 2, size: 4096, name: "test")
        #expect(buffers.count == 2)
        #expect(report.kind == .memfd && report.source == "memfd" && report.writeProtection == .sealed)
        #expect(
            report.attempts.map { $0.source.split(separator: "/").last.map(String.init) } == [
                "vidbuf_cached", "linux,cma", "reserved", "default_cma_region", "system", "udmabuf",
            ]
        )
        #expect(report.attempts[0].error == .noSuchFileOrDirectory)
        // A plain file in a heap's place: opening works, the ioctl does not.
        #expect(report.attempts[4].error == .inappropriateIOCTLForDevice)
        #expect(report.attempts[4].description.contains("DMA_HEAP_IOCTL_ALLOC"))
        #expect(report.hugePages == false && report.notes == [])
    }

    @Test("a heap that this user may not open names the group that may")
    func permission() async throws {
        guard getuid() == 0, getgrnam("video") != nil else {
            print("skipped: not root, or no group 'video'")
            return
        }
        // In a process of its own, for it gives up being root.
        await #expect(processExitsWith: .success) {
            let machine = try FakeMachine(heaps: ["linux,cma"])
            let path = machine.paths.dmaHeaps + "/linux,cma"
            guard let group = getgrnam("video"), chown(path, 0, group.pointee.gr_gid) == 0, chmod(path, 0o660) == 0,
                chmod(machine.folder.path, 0o755) == 0, chmod(machine.paths.dmaHeaps, 0o755) == 0,
                setgroups(0, nil) == 0, setgid(65534) == 0, seteuid(65534) == 0
            else { exit(2) }
            let allocator = BufferAllocator(preference: .automatic, paths: machine.paths)
            let report = try allocator.allocate(count: 1, size: 4096, name: "test").report
            guard let denied = report.attempts.first(where: { $0.source == path }) else { exit(3) }
            _ = seteuid(0)
            if denied.error != .permissionDenied || !denied.advice.contains("'video'") { exit(4) }
        }
    }

    @Test("a heap that is asked for by name and is not there gives its own error")
    func namedHeap() throws {
        let machine = try FakeMachine()
        let allocator = BufferAllocator(preference: .dmaHeap("nowhere"), paths: machine.paths)
        let path = machine.paths.dmaHeaps + "/nowhere"
        #expect(throws: MemoryError.open(path: path, .noSuchFileOrDirectory)) {
            try allocator.allocate(count: 1, size: 4096, name: "test")
        }
    }

    @Test("where nothing of the kind asked for is to be had, every attempt is told")
    func nothing() throws {
        let machine = try FakeMachine()
        let allocator = BufferAllocator(preference: .dmaHeap(nil), paths: machine.paths)
        do throws(MemoryError) {
            _ = try allocator.allocate(count: 1, size: 4096, name: "test")
            Issue.record("a heap in an empty folder")
        } catch {
            guard case .nothingAvailable(let attempts) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(attempts.count == 5)
            for attempt in attempts { #expect("\(error)".contains(attempt.source)) }
        }
    }

    @Test("what would not fit is refused with the arithmetic before anything is allocated")
    func budget() throws {
        let machine = try FakeMachine(memory: "MemTotal: 4000 kB\nMemAvailable:    1000 kB\n")
        for preference in [MemoryPreference.memfd, .automatic, .dmaHeap(nil), .udmabuf] {
            let allocator = BufferAllocator(preference: preference, paths: machine.paths)
            #expect(throws: MemoryError.doesNotFit(asked: 2 << 20, available: 1_024_000, where: "MemAvailable")) {
                try allocator.allocate(count: 2, size: 1 << 20, name: "test")
            }
        }
        let allocator = BufferAllocator(preference: .memfd, paths: machine.paths)
        #expect(try allocator.allocate(count: 2, size: 500_000, name: "test").buffers.count == 2)
        #expect(throws: MemoryError.badSize(.max)) { try allocator.allocate(count: 2, size: .max, name: "test") }
        #expect(throws: MemoryError.badSize(0)) { try allocator.allocate(count: 2, size: 0, name: "test") }
        #expect(throws: MemoryError.badSize(-1)) { try allocator.allocate(count: 2, size: -1, name: "test") }
        #expect(
            "\(MemoryError.doesNotFit(asked: 2_000_000, available: 1_024_000, where: "MemAvailable"))"
                == "2000 kB are asked for and 1024 kB are available (MemAvailable); use fewer slots, or a smaller image"
        )
    }

    @Test("memory is counted in whole pages of this machine, whatever their size")
    func wholePages() throws {
        let page = Int(getpagesize())
        #expect(MemoryPage.roundedUp(0) == 0 && MemoryPage.roundedUp(1) == page && MemoryPage.roundedUp(page) == page)
        #expect(MemoryPage.roundedUp(page + 1) == 2 * page && MemoryPage.roundedUp(.max) == nil)
        // A byte more than a page is two, for each of four buffers.
        let machine = try FakeMachine(memory: "MemAvailable: \(7 * page / 1024) kB\n")
        let allocator = BufferAllocator(preference: .memfd, paths: machine.paths)
        #expect(throws: MemoryError.doesNotFit(asked: 8 * page, available: 7 * page, where: "MemAvailable")) {
            try allocator.allocate(count: 4, size: page + 1, name: "test")
        }
        // A driver's buffers, of which each has two parts. The kernel keeps a sixteenth.
        let room = 7 * page - 7 * page / 16
        let place = "of MemAvailable, for 4 buffers of a driver"
        #expect(throws: MemoryError.doesNotFit(asked: 8 * page, available: room, where: place)) {
            try MemoryBudget(paths: machine.paths).check(count: 4, sizes: [1, 2], madeBy: "a driver")
        }
    }

    @Test("more than this very machine has is refused, and costs it nothing")
    func tooLargeForThisMachine() throws {
        let available = try #require(MachinePaths().memory("MemAvailable"))
        do throws(MemoryError) {
            _ = try BufferAllocator(preference: .memfd).allocate(count: 4, size: available, name: "test")
            Issue.record("four times the memory there is")
        } catch {
            guard case .doesNotFit(asked: available * 4, _, _) = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("a control group's limit counts before the machine's memory is gone")
    func controlGroup() throws {
        let machine = try FakeMachine(memory: "MemAvailable: 9000000 kB\n")
        machine.controlGroup("/box")
        machine.controlGroup("/box", limit: "1000000", used: 600_000, statistics: "inactive_file 100000\n")
        let allocator = BufferAllocator(preference: .memfd, paths: machine.paths)
        #expect(
            throws: MemoryError.doesNotFit(
                asked: 10 << 16,
                available: 500_000,
                where: "the control group's memory.max"
            )
        ) {
            try allocator.allocate(count: 2, size: 5 << 16, name: "test")
        }
        #expect(try allocator.allocate(count: 2, size: 200_000, name: "test").buffers.count == 2)
    }

    @Test("a contiguous heap is measured against what is free of CMA, an ordinary one is not")
    func contiguous() throws {
        let machine = try FakeMachine(
            heaps: ["linux,cma", "system"],
            memory: "MemAvailable: 9000000 kB\nCmaTotal: 65536 kB\nCmaFree: 1000 kB\n"
        )
        func refusal(_ heap: String) -> MemoryError? {
            do throws(MemoryError) {
                _ = try BufferAllocator(preference: .dmaHeap(heap), paths: machine.paths)
                    .allocate(count: 4, size: 1 << 20, name: "test")
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal("linux,cma") == .doesNotFit(asked: 4 << 20, available: 1_024_000, where: "CmaFree"))
        #expect(refusal("system") == .call("DMA_HEAP_IOCTL_ALLOC", .inappropriateIOCTLForDevice))
    }

    @Test("a udmabuf larger than its module allows is refused with the way to allow it")
    func udmabufLimit() throws {
        let machine = try FakeMachine()
        machine.folder.write("", to: "udmabuf")
        machine.folder.write("64\n", to: "size_limit_mb")
        let allocator = BufferAllocator(preference: .udmabuf, paths: machine.paths)
        do throws(MemoryError) {
            _ = try allocator.allocate(count: 1, size: (64 << 20) + 1, name: "test")
            Issue.record("a plain file gave a udmabuf")
        } catch {
            #expect("\(error)".contains("size_limit_mb"))
        }
        #expect(throws: MemoryError.call("UDMABUF_CREATE", .inappropriateIOCTLForDevice)) {
            try allocator.allocate(count: 1, size: 4096, name: "test")
        }
    }

    @Test(
        "a preference reads back from its text",
        arguments: [MemoryPreference.automatic, .memfd, .udmabuf, .dmaHeap(nil), .dmaHeap("system")]
    )
    func text(_ preference: MemoryPreference) {
        #expect(MemoryPreference(preference.description) == preference)
    }

    @Test("the words of Swift and C are read, too")
    func otherSpellings() {
        #expect(MemoryPreference("automatic") == .automatic)
        for text in ["dmaHeap", "dma-heap", "dma_heap", "FRAMESHARE_MEMORY_DMA_HEAP"] {
            #expect(MemoryPreference(text) == .dmaHeap(nil), "\(text)")
        }
        #expect(MemoryPreference("dma-heap:vidbuf_cached") == .dmaHeap("vidbuf_cached"))
        #expect(MemoryPreference("FRAMESHARE_MEMORY_MEMFD") == .memfd)
    }

    @Test("a heap's name is no path", arguments: ["heap:", "heap:..", "heap:.", "heap:a/b", "heaps", ""])
    func badText(_ text: String) {
        #expect(MemoryPreference(text) == nil)
    }
}
