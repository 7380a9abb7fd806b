import FrameCommand
import FrameShare
import Glibc

/// Where the view's tokens come from.
enum TokenFile {
    /// In bytes.
    private static let longestLine = 1023
    /// How long the writer of a pipe may take.
    private static let patience = Duration.seconds(5)

    /// The first line of a file, or of what comes through a pipe.
    static func read(_ path: String) throws(CommandFailure) -> String {
        func failure(_ reason: String) -> CommandFailure {
            CommandFailure("the token file \(path) can't be used: \(reason)")
        }
        // Without O_NONBLOCK, opening a pipe that nobody writes would wait for ever.
        let file = open(PathText.cString(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else { throw failure(String(cString: strerror(errno))) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure(String(cString: strerror(errno))) }
        let isPipe = status.st_mode & S_IFMT == S_IFIFO
        guard isPipe || status.st_mode & S_IFMT == S_IFREG else {
            throw failure(status.st_mode & S_IFMT == S_IFDIR ? "it is a folder" : "it is neither a file nor a pipe")
        }
        let deadline = ContinuousClock.now + patience
        var line: [UInt8] = []
        var isWhole = false
        while !isWhole, line.count <= longestLine {
            // No more than the line is taken out of a pipe that others read on.
            var byte: UInt8 = 0
            let count = Glibc.read(file, &byte, 1)
            if count <= 0 {
                let error = count < 0 ? errno : 0
                if error == EINTR { continue }
                guard error == 0 || error == EAGAIN && isPipe else { throw failure(String(cString: strerror(error))) }
                if error == 0, !isPipe || !line.isEmpty || hasEnded(file) { break }
                var wait = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
                let left = (deadline - .now).nanoseconds / 1_000_000
                guard left > 0 else {
                    throw failure(
                        error == 0
                            ? "nobody writes into this pipe"
                            : "nobody has written a whole line into this pipe within \(patience)"
                    )
                }
                _ = poll(&wait, 1, Int32(clamping: left))
                continue
            }
            isWhole = byte == UInt8(ascii: "\n")
            if !isWhole { line.append(byte) }
        }
        guard line.count <= longestLine else {
            throw failure("its first line has more than \(longestLine) bytes")
        }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard !line.isEmpty else { throw failure("its first line is empty; write the token there") }
        return String(decoding: line, as: UTF8.self)
    }

    /// Whether the writers of an empty pipe have gone. Of a pipe that had none yet, Linux reports no end.
    private static func hasEnded(_ file: Int32) -> Bool {
        var state = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        return poll(&state, 1, 0) > 0 && Int32(state.revents) & (POLLIN | POLLHUP) == POLLHUP
    }

    /// 128 bits that nobody guesses, in hexadecimal.
    static func make() -> String {
        // From the kernel's getrandom.
        var generator = SystemRandomNumberGenerator()
        return (0..<16).map { _ in
            let byte = UInt8.random(in: 0...255, using: &generator)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
