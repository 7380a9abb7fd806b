import Glibc

/// What this process has used so far.
struct ProcessUsage {
    /// CPU time of all its threads, in ns.
    var cpu: Int64
    /// The most memory it ever had present, in bytes.
    var maximumResident: Int64
    /// Memory that is its own, and its share of what it shares, in bytes; nil where the kernel does not say.
    var privateMemory: Int64?
    var proportional: Int64?

    /// CPU time alone: one call, for use around what is measured.
    static var cpuNow: Int64 { clock(CLOCK_PROCESS_CPUTIME_ID) }

    /// The monotonic clock, in ns.
    static var now: Int64 { clock(CLOCK_MONOTONIC) }

    private static func clock(_ id: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(id, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    static var current: ProcessUsage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        // proc_pid_smaps_rollup(5): lines such as "Private_Dirty:   1234 kB".
        var sums: [String: Int64] = [:]
        if let text = smallFile("/proc/self/smaps_rollup") {
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard words.count == 3, words[2] == "kB", let size = Int64(words[1]) else { continue }
                sums[String(words[0].dropLast())] = size * 1024
            }
        }
        return ProcessUsage(
            cpu: cpuNow,
            maximumResident: Int64(usage.ru_maxrss) * 1024,
            privateMemory: sums["Private_Clean"].flatMap { clean in sums["Private_Dirty"].map { clean + $0 } },
            proportional: sums["Pss"]
        )
    }

    private static func smallFile(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 8192)
        let count = read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
