internal import Glibc

/// What this process has open and mapped, and what it may.
enum ProcessState {
    /// How many descriptors are open.
    static var descriptors: Int { openDescriptors.count }

    private static var openDescriptors: [Int32] {
        guard let folder = opendir("/proc/self/fd") else { return [] }
        defer { closedir(folder) }
        let own = dirfd(folder)
        var numbers: [Int32] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let number = Int32(name), number != own { numbers.append(number) }
        }
        return numbers
    }

    /// Closes what the test process let through: what is open from here on is this process's own.
    static func closeInherited() { for number in openDescriptors where number > 2 { close(number) } }

    /// How many mappings of shared memory there are: memfds and dma-bufs. (The heap's and the stacks' come and go.)
    static var sharedMappings: Int {
        text("/proc/self/maps").split(separator: "\n").count { $0.contains("/memfd:") || $0.contains("dmabuf") }
    }

    private static func text(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { break }
            text.append(contentsOf: buffer[..<count])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `fds=… maps=…`, as reports have it.
    static var summary: String { "fds=\(descriptors) maps=\(sharedMappings)" }

    /// As ``summary``, once it is as expected or has stayed the same for a while: the library's threads let go of things a moment later. Less what
    /// a process that has waited for frames keeps for ever: an epoll descriptor and an eventfd.
    static func settled(like expected: String) -> String {
        func summary() -> String { "fds=\(descriptors - (watches ? 2 : 0)) maps=\(sharedMappings)" }
        var (state, steady) = (summary(), 0)
        while state != expected && steady < 100 {
            usleep(1000)
            let now = summary()
            steady = now == state ? steady + 1 : 0
            state = now
        }
        return state
    }

    /// Whether there is the thread that watches for hang-ups.
    private static var watches: Bool {
        guard let folder = opendir("/proc/self/task") else { return false }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if text("/proc/self/task/\(name)/comm") == "fs-watch\n" { return true }
        }
        return false
    }

    /// Of all threads but the calling one: how many sleep, and how often they have gone to sleep or waited.
    static var otherThreads: (asleep: Int, switches: Int) {
        guard let folder = opendir("/proc/self/task") else { return (-1, -1) }
        defer { closedir(folder) }
        // Such as "4711/task/4712".
        var link = [CChar](repeating: 0, count: 64)
        let length = max(0, readlink("/proc/thread-self", &link, link.count))
        let path = String(decoding: link.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let own = path.split(separator: "/").last ?? ""
        var (asleep, switches) = (0, 0)
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != own, Int(name) != nil else { continue }
            for line in text("/proc/self/task/\(name)/status").split(separator: "\n") {
                if line.hasPrefix("State:"), line.contains("S (sleeping)") { asleep += 1 }
                if line.hasPrefix("voluntary_ctxt_switches:") {
                    switches += line.split { !$0.isNumber }.last.flatMap { Int($0) } ?? 0
                }
            }
        }
        return (asleep, switches)
    }

    /// `threads=… anonymous=… shared=…`, the latter two in kB: what is resident.
    static var usage: String {
        let lines = text("/proc/self/status").split(separator: "\n")
        func number(_ key: String) -> Int {
            lines.first { $0.hasPrefix(key + ":") }?.split { !$0.isNumber }.first.flatMap { Int($0) } ?? -1
        }
        return "threads=\(number("Threads")) anonymous=\(number("RssAnon")) shared=\(number("RssShmem"))"
    }

    /// Lets this process open `more` descriptors and then none; nil: as many as ever.
    static func limitDescriptors(_ more: Int?) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        if more != nil { limitDescriptors(nil) }
        if let more {
            // The limit is on numbers, so the gaps below the highest one are filled first.
            let highest = openDescriptors.max() ?? 2
            fill(upTo: highest)
            limit.rlim_cur = rlim_t(Int(highest) + 1 + more)
        } else {
            limit.rlim_cur = limit.rlim_max
            for number in fillers { close(number) }
            fillers = []
        }
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    nonisolated(unsafe) private static var fillers: [Int32] = []  // the peer's main thread alone uses it

    private static func fill(upTo highest: Int32) {
        while true {
            let number = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard number >= 0 else { return }
            if number > highest {
                close(number)
                return
            }
            fillers.append(number)
        }
    }

    /// Lets this process map so many bytes more and then none; nil: as many as ever.
    static func limitMemory(_ more: Int?) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        limit.rlim_cur = more.map { rlim_t(mappedBytes + $0) } ?? limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    }

    private static var mappedBytes: Int {
        (text("/proc/self/statm").split(separator: " ").first.flatMap { Int($0) } ?? 0) * Int(getpagesize())
    }

    /// Becomes another user.
    static func become(_ user: UInt32) {
        guard setgroups(0, nil) == 0, setgid(user) == 0, setuid(user) == 0 else {
            say("broken-test setuid \(user): errno \(errno)")
            exit(90)
        }
    }
}
