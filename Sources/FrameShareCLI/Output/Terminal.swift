import FrameShare
import Glibc

/// Where output goes: a person's terminal, or a file or program that wants it plain.
struct Terminal: Sendable {
    let descriptor: Int32
    let isTerminal: Bool
    /// Whether colours and cursor movements may be sent: a terminal that understands them, and no `NO_COLOR`.
    let hasColor: Bool

    static let output = Terminal(descriptor: STDOUT_FILENO)
    static let errors = Terminal(descriptor: STDERR_FILENO)

    init(descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        // https://no-color.org: any value but the empty one.
        let noColor = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        hasColor = isTerminal && !noColor && !Self.isDumb
    }

    /// A terminal that can't move its cursor.
    private static var isDumb: Bool { getenv("TERM").map { String(cString: $0) == "dumb" } ?? true }

    /// Whether a table can be drawn again in place.
    var canRedraw: Bool { isTerminal && !Self.isDumb }

    /// Columns and rows; what was usual for half a century where the kernel doesn't know.
    var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// Writes all of it, at once and unbuffered, so that a reader of the pipe sees each line when it is said.
    /// - Returns: false when nobody reads it any more
    @discardableResult
    func write(_ text: String) -> Bool {
        var text = PathText.shown(text)
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN {
                        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                        _ = poll(&wait, 1, -1)
                        continue
                    }
                    OutputFailure.note(errno, descriptor)
                    return false
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
            return true
        }
    }

    @discardableResult
    func writeLine(_ text: String) -> Bool { write(text + "\n") }

    /// `text` in a colour, where there are colours.
    func styled(_ text: String, _ style: Style) -> String {
        hasColor ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    enum Style: String {
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
    }
}
