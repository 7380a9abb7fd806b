import CLinuxMedia
import FrameCommand
import FrameShare
import Glibc

/// A publisher that a subscriber has started, and that is to be nobody's child: `--owner --detach`, see `SourceOwner`.
enum DetachedPublisher {
    /// The descriptor of the lock that keeps others from starting another owner.
    private static let lock: Int32 = 3

    /// Starts this very command without `--detach`, and leaves it alone: it becomes a child of init.
    static func start() throws(CommandFailure) {
        // Whatever the program that started this had open is none of the owner's business.
        fs_close_from(UInt32(lock) + 1)
        guard chdir("/") == 0 else { throw CommandFailure("chdir /: \(String(cString: strerror(errno)))") }
        umask(0o077)
        let arguments = CommandArguments.texts.filter { $0 != "--detach" }
        var words = (["frameshare"] + arguments).map { strdup(PathText.cString($0)) } + [nil]
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        let result = posix_spawn(&child, "/proc/self/exe", nil, nil, &words, fs_environment())
        guard result == 0 else {
            throw CommandFailure("the owner can't be started: \(String(cString: strerror(result)))")
        }
    }

    /// The channel is there: whoever started this has heard so by the first line. Nobody reads the lines to come.
    static func leave() {
        if fcntl(lock, F_GETFD) >= 0 { close(lock) }
        let nowhere = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard nowhere >= 0 else { return }
        dup2(nowhere, STDOUT_FILENO)
        dup2(nowhere, STDERR_FILENO)
        if nowhere > STDERR_FILENO { close(nowhere) }
    }
}
