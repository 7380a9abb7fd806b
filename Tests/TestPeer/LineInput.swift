internal import Glibc

/// Lines on standard input, without blocking for longer than asked. The process ends with its input.
struct LineInput {
    private var pending: [UInt8] = []

    /// The next line's words, if one comes within so many milliseconds (-1: however long it takes).
    mutating func next(milliseconds: Int32) -> [String]? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                return line.split(separator: " ").map(String.init)
            }
            var entry = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, milliseconds)
            if ready == 0 { return nil }
            if ready < 0 { if errno == EINTR { continue } else { exit(0) } }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(0, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { exit(0) }
            pending.append(contentsOf: buffer[..<count])
        }
    }
}
