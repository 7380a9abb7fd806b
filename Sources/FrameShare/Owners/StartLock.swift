internal import CLinuxMedia
internal import Glibc

/// Lets one process at a time start a source's owner. The process that is started has the lock, too, until it publishes: so the
/// next one waits for it, though the first was killed. The kernel drops the lock of processes that die.
struct StartLock: ~Copyable {
    private let path: String
    private let end: KeptDescriptor

    private init(path: String, end: KeptDescriptor) { (self.path, self.end) = (path, end) }

    /// For the process that is started.
    var number: Int32 { end.number }

    /// The lock, if nobody has it now; nil: somebody does.
    ///
    /// Others may be able to write in the folder. So no link is followed, and the file must be this user's own.
    static func tryTake(_ path: String) throws(OwnerError) -> StartLock? {
        let name = PathText.cString(path)
        let number = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard number >= 0 else {
            let error = errno
            let isOthers = error == EACCES && access(name, F_OK) == 0
            throw .lock(path: path, isOthers ? "it is another user's" : String(cString: strerror(error)))
        }
        let end = KeptDescriptor(number)
        var (ours, there) = (stat(), stat())
        guard fstat(end.number, &ours) == 0 else { throw .lock(path: path, String(cString: strerror(errno))) }
        guard ours.st_mode & S_IFMT == S_IFREG else { throw .lock(path: path, "it is no plain file") }
        guard ours.st_uid == geteuid() else { throw .lock(path: path, "it belongs to user \(ours.st_uid)") }
        var result = flock(end.number, LOCK_EX | LOCK_NB)
        while result != 0 && errno == EINTR { result = flock(end.number, LOCK_EX | LOCK_NB) }
        guard result == 0 else {
            let error = errno
            if error == EWOULDBLOCK { return nil }
            throw .lock(path: path, String(cString: strerror(error)))
        }
        // The one before may have removed the file between our open and our lock: then this lock guards nothing.
        guard lstat(name, &there) == 0, there.st_ino == ours.st_ino, there.st_dev == ours.st_dev else { return nil }
        return StartLock(path: path, end: end)
    }

    /// Takes the file away, once the owner publishes.
    consuming func remove() { unlink(PathText.cString(path)) }
}
