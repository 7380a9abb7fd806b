internal import CLinuxMedia
internal import Glibc

/// Where output goes: a person's terminal, or a file or program that wants it plain.
package struct Terminal: Sendable {
    package let descriptor: Int32
    package let isTerminal: Bool
    /// Whether colours and cursor movements may be sent: a terminal that understands them, and no `NO_COLOR`.
    package let hasColor: Bool

    package static let output = Terminal(descriptor: STDOUT_FILENO)
    package static let errors = Terminal(descriptor: STDERR_FILENO)

    package init(descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        // https://no-color.org: any value but the empty one.
        let noColor = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        hasColor = isTerminal && !noColor && !Self.isDumb
    }

    /// A terminal that can't move its cursor.
    private static var isDumb: Bool { getenv("TERM").map { String(cString: $0) == "dumb" } ?? true }

    /// Whether a table can be drawn again in place.
    package var canRedraw: Bool { isTerminal && !Self.isDumb }

    /// Columns and rows; what was usual for half a century where the kernel doesn't know.
    package var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// - Returns: false when it can't be written any more: nobody reads it, or the disk is full
    @discardableResult
    package func writeLine(_ line: StyledText) -> Bool { writeAsIs(line.text(colored: hasColor) + "\n") }

    @discardableResult
    package func writeLine(_ text: String) -> Bool { writeLine(StyledText(text)) }

    /// Several lines, such as help.
    package func writeLines(of text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) { writeLine(String(line)) }
    }

    /// What this program made itself, as it is: orders to the terminal, and scripts. All else is for ``writeLine(_:)``.
    ///
    /// It is written at once and unbuffered, so that a reader of the pipe sees each line when it is said.
    @discardableResult
    package func writeAsIs(_ text: String) -> Bool {
        var text = text
        let failure = text.withUTF8 { bytes -> Int32 in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    guard errno == EAGAIN else { return errno }
                    // Whoever shares the descriptor has made it non-blocking.
                    var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&wait, 1, -1)
                    continue
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
            return 0
        }
        if failure != 0 { OutputFailure.note(failure, descriptor) }
        return failure == 0
    }
}
