import FrameMemory
import Glibc
import SystemPackage
import Testing

@Suite struct AllocationTests {
    /// A tree that looks like a machine's, so that the probe order can be seen anywhere.
    private struct FakeMachine: ~Copyable {
        let folder: String
        var paths = MachinePaths()

        init(heaps: [String] = [], memory: String? = nil, compatible: String? = nil) {
            folder = "/tmp/frameshare-machine-\(getpid())-\(UInt64.random(in: .min ... .max))"
            mkdir(folder, 0o700)
            mkdir(folder + "/heaps", 0o700)
            for heap in heaps { Self.write("", to: folder + "/heaps/" + heap) }
            paths.dmaHeaps = folder + "/heaps"
            paths.udmabuf = folder + "/udmabuf"
            if let memory {
                Self.write(memory, to: folder + "/meminfo")
                paths.memoryInfo = folder + "/meminfo"
            }
            paths.deviceTreeCompatible = folder + "/compatible"
            if let compatible { Self.write(compatible, to: folder + "/compatible") }
        }

        private static func write(_ text: String, to path: String) {
            let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            let bytes = Array(text.utf8)
            _ = Glibc.write(file, bytes, bytes.count)
            close(file)
        }

        deinit {
            var pid = pid_t()
            var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("rm"), strdup("-rf"), strdup(folder), nil]
            if posix_spawn(&pid, "/bin/rm", nil, nil, &arguments, environ) == 0 { waitpid(pid, nil, 0) }
            for argument in arguments { free(argument) }
        }
    }

    @Test("a Pi 5 prefers the system heap, other boards the contiguous one, and the Pi's own name comes first")
    func probeOrder() {
        #expect(MachinePaths().heapsInProbeOrder().first == "vidbuf_cached")
        let other = FakeMachine(compatible: "raspberrypi,4-model-b\0brcm,bcm2711\0")
        #expect(other.paths.heapsInProbeOrder() == ["vidbuf_cached", "linux,cma", "reserved", "system"])
        let pi5 = FakeMachine(compatible: "raspberrypi,5-model-b\0brcm,bcm2712\0")
        #expect(pi5.paths.heapsInProbeOrder() == ["vidbuf_cached", "system", "linux,cma", "reserved"])
    }

    @Test("the report says what was used, and why each earlier source did not do")
    func report() throws {
        let machine = FakeMachine(heaps: ["system"])
        let allocator = BufferAllocator(preference: .automatic, paths: machine.paths)
        let (buffers, report) = try allocator.allocate(count: 2, size: 4096, name: "test")
        #expect(buffers.count == 2)
        #expect(report.kind == .memfd && report.source == "memfd")
        #expect(report.attempts.map(\.source).map { $0.split(separator: "/").last.map(String.init) } == [
            "vidbuf_cached", "linux,cma", "reserved", "system", "udmabuf",
        ])
        #expect(report.attempts[0].error == .noSuchFileOrDirectory)
        // A plain file in a heap's place: opening works, the ioctl does not.
        #expect(report.attempts[3].error == .inappropriateIOCTLForDevice)
        #expect(report.attempts[3].description.contains("DMA_HEAP_IOCTL_ALLOC"))
    }

    @Test("a heap that is asked for by name and is not there gives its own error")
    func namedHeap() {
        let machine = FakeMachine()
        let allocator = BufferAllocator(preference: .dmaHeap("nowhere"), paths: machine.paths)
        let path = machine.paths.dmaHeaps + "/nowhere"
        #expect(throws: MemoryError.open(path: path, .noSuchFileOrDirectory)) {
            try allocator.allocate(count: 1, size: 4096, name: "test")
        }
    }

    @Test("what would not fit is refused with the arithmetic before anything is allocated")
    func budget() {
        let machine = FakeMachine(memory: "MemTotal: 4000 kB\nMemAvailable:    1000 kB\n")
        let allocator = BufferAllocator(preference: .memfd, paths: machine.paths)
        #expect(throws: MemoryError.doesNotFit(asked: 2_000_000, available: 1_024_000, where: "MemAvailable")) {
            try allocator.allocate(count: 2, size: 1_000_000, name: "test")
        }
        #expect(throws: MemoryError.badSize(.max)) { try allocator.allocate(count: 2, size: .max, name: "test") }
        #expect(throws: MemoryError.badSize(0)) { try allocator.allocate(count: 2, size: 0, name: "test") }
    }

    @Test("a contiguous heap is measured against what is free of CMA")
    func contiguous() {
        let machine = FakeMachine(
            heaps: ["linux,cma"], memory: "MemAvailable: 9000000 kB\nCmaTotal: 65536 kB\nCmaFree: 1000 kB\n")
        let allocator = BufferAllocator(preference: .dmaHeap("linux,cma"), paths: machine.paths)
        #expect(throws: MemoryError.doesNotFit(asked: 4_000_000, available: 1_024_000, where: "CmaFree")) {
            try allocator.allocate(count: 4, size: 1_000_000, name: "test")
        }
    }

    @Test(
        "a preference reads back from its text",
        arguments: [MemoryPreference.automatic, .memfd, .udmabuf, .dmaHeap(nil), .dmaHeap("system")])
    func text(_ preference: MemoryPreference) {
        #expect(MemoryPreference(preference.description) == preference)
    }

    @Test("a heap's name is no path", arguments: ["heap:", "heap:..", "heap:a/b", "heaps", ""])
    func badText(_ text: String) {
        #expect(MemoryPreference(text) == nil)
    }

    @Test("real heaps and udmabuf give dma-bufs of the size asked for", .enabled(if: hasRealHeap, "no DMA heap or udmabuf here"))
    func realHeaps() throws {
        for preference in [MemoryPreference.dmaHeap(nil), .udmabuf] {
            let (buffers, report) = try BufferAllocator(preference: preference).allocate(
                count: 2, size: 100_000, name: "test")
            #expect(report.kind.isDMABuf)
            for buffer in buffers {
                try FrameBuffer.verify(descriptor: buffer.descriptor, kind: report.kind, size: 100_000)
                try buffer.beginCPUAccess(.readWrite)
                buffer.writableMapping?.baseAddress.storeBytes(of: 42, as: UInt8.self)
                try buffer.endCPUAccess(.readWrite)
                #expect(try buffer.map(.read).baseAddress.load(as: UInt8.self) == 42)
            }
        }
    }

    private static var hasRealHeap: Bool {
        access("/dev/udmabuf", R_OK | W_OK) == 0 && !MachinePaths().heapNames().isEmpty
    }
}
