import Glibc

/// How many descriptors and mappings this process has: what a leak shows in.
enum Resources {
    static var descriptors: Int {
        guard let folder = opendir("/proc/self/fd") else { return -1 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return count - 3  // ".", ".." and the folder's own
    }
}

/// A memfd without any seal, as a careless or hostile sender would make it.
func unsealedMemfd(size: Int) -> Int32 {
    let path = "/dev/shm/frameshare-test-\(getpid())-\(UInt64.random(in: .min ... .max))"
    let number = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    unlink(path)
    ftruncate(number, off_t(size))
    return number
}
