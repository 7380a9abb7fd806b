import FrameMemory
import Glibc
import Testing

/// Each in a process of its own: other tests open descriptors meanwhile, and limits are the whole process's.
@Suite struct LeakTests {
    @Test("buffers, mappings and duplicates leave no descriptor and no mapping behind, nor does what was refused")
    func noLeak() async {
        await #expect(processExitsWith: .success) {
            for _ in 0..<20 {
                let (buffers, _) = try BufferAllocator(preference: .memfd).allocate(
                    count: 4,
                    size: 1 << 20,
                    name: "frameshare-leak"
                )
                for buffer in buffers { _ = try buffer.map(.read) }
                _ = try OwnedDescriptor(owning: rawMemfd(size: 4096)).duplicate()
                _ = try SharedMemory(creating: "frameshare-leak", size: 4096, readersMayWrite: true)
                let refused = try? FrameBuffer(
                    adopting: OwnedDescriptor(owning: rawMemfd(size: 4096)),
                    kind: .memfd,
                    size: 4096,
                    writeProtection: .sealed
                )
                if refused != nil { exit(2) }
                // Mapped, for once, while it lives: else this would count nothing.
                if Resources.mappings(named: "frameshare-leak") != 4 || Resources.descriptors != 4 { exit(4) }
                withExtendedLifetime(buffers) {}
            }
            if Resources.descriptors != 0 { exit(3) }
            if Resources.mappings(named: "frameshare-") != 0 { exit(5) }
        }
    }

    @Test("a descriptor that was given up is not closed")
    func takenOver() async {
        await #expect(processExitsWith: .success) {
            let number = OwnedDescriptor(owning: try rawMemfd(size: 4096)).take()
            if fcntl(number, F_GETFD) < 0 { exit(2) }
            do { _ = OwnedDescriptor(owning: number) }
            if fcntl(number, F_GETFD) >= 0 { exit(3) }
        }
    }

    @Test("a process without descriptors gets a clear error, and keeps none of what it had begun")
    func outOfDescriptors() async {
        await #expect(processExitsWith: .exitCode(7)) {
            var limit = rlimit(rlim_cur: 64, rlim_max: 64)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            do throws(MemoryError) {
                _ = try BufferAllocator(preference: .memfd).allocate(count: 100, size: 4096, name: "frameshare-many")
                exit(1)
            } catch {
                guard case .outOfDescriptors = error, "\(error)".contains("ulimit -n") else { exit(2) }
                if Resources.descriptors != 0 { exit(3) }
                exit(Resources.mappings(named: "frameshare-") == 0 ? 7 : 4)
            }
        }
    }

    @Test("where no file may be as large as a pool, it lies in as many as are needed")
    func fileSizeLimitOfPool() async {
        await #expect(processExitsWith: .exitCode(7)) {
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            do {
                let (buffers, _) = try BufferAllocator(preference: .memfd).allocate(
                    count: 10,
                    size: 300_000,
                    name: "test",
                    together: true
                )
                if Set(buffers.map(\.descriptor)).count != 4 { exit(2) }
                for (i, buffer) in buffers.enumerated() {
                    guard let mapping = buffer.writableMapping else { exit(3) }
                    memset(mapping.baseAddress, Int32(i), buffer.size)
                }
                for (i, buffer) in buffers.enumerated() {
                    if try !buffer.map(.read).isFilled(with: UInt8(i)) { exit(4) }
                }
            }
            exit(Resources.descriptors == 0 ? 7 : 5)
        }
    }

    @Test("a limit of a file's size is an error, not the end of the process")
    func fileSizeLimit() async {
        await #expect(processExitsWith: .exitCode(7)) {
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            guard ProcessLimit.fileSize.soft == 1 << 20 else { exit(2) }
            do throws(MemoryError) {
                _ = try BufferAllocator(preference: .memfd).allocate(count: 1, size: 2 << 20, name: "test")
                exit(1)
            } catch {
                guard case .doesNotFit(asked: 2 << 20, available: 1 << 20, let place) = error else { exit(3) }
                exit(place.contains("ulimit -f") ? 7 : 4)
            }
        }
    }
}
