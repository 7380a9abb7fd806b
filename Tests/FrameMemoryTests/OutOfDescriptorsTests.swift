import FrameMemory
import Glibc
import Testing

@Suite struct OutOfDescriptorsTests {
    @Test("a process without descriptors gets a clear error, and keeps none of what it had begun")
    func outOfDescriptors() async {
        // In a process of its own: the limit is the whole process's.
        await #expect(processExitsWith: .exitCode(7)) {
            var limit = rlimit(rlim_cur: 64, rlim_max: 64)
            setrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
            let before = Resources.descriptors
            do {
                _ = try BufferAllocator(preference: .memfd).allocate(count: 100, size: 4096, name: "test")
                exit(1)
            } catch {
                guard case .outOfDescriptors = error as? MemoryError else { exit(2) }
                exit(Resources.descriptors == before ? 7 : 3)
            }
        }
    }
}
