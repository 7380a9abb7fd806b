import Glibc
import PixelFormats
import SystemPackage

/// Gathers pieces of memory and writes them to a file descriptor with as few calls of `writev(2)` as may be.
///
/// Partial writes and `EINTR` are continued; on a non-blocking descriptor `EAGAIN` waits in `poll(2)`. Writing to a
/// pipe that nobody reads gives ``SinkError/readerClosed``: the `SIGPIPE` that comes with it is held back for the
/// writing thread and taken away, so that it kills nobody and the process keeps its own signal handling. Allocates
/// once, when made.
struct DescriptorOutput: ~Copyable {
    private static let capacity = 256

    let descriptor: Int32
    private let pieces: UnsafeMutablePointer<iovec>
    private var count = 0

    /// The descriptor stays the caller's: it must be open as long as this lives, and is never closed here.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        pieces = .allocate(capacity: Self.capacity)
    }

    deinit {
        pieces.deallocate()
    }

    /// Adds bytes, which must stay as they are until ``flush()``. Neighbours in memory become one piece.
    mutating func append(_ start: UnsafeRawPointer, _ byteCount: Int) throws(SinkError) {
        if byteCount == 0 {
            return
        }
        if count > 0 {
            let last = pieces + (count - 1)
            if last.pointee.iov_base + last.pointee.iov_len == start {
                last.pointee.iov_len += byteCount
                return
            }
        }
        if count == Self.capacity {
            try flush()
        }
        pieces[count] = iovec(iov_base: UnsafeMutableRawPointer(mutating: start), iov_len: byteCount)
        count += 1
    }

    /// Adds bytes, which must stay as they are until ``flush()``.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SinkError) {
        if let start = bytes.baseAddress {
            try append(start, bytes.count)
        }
    }

    /// Adds the rows of a plane without the padding behind them.
    mutating func appendRows(of plane: Int, _ planes: ImagePlanes) throws(SinkError) {
        let rowBytes = planes.layout.rowBytes(plane: plane) ?? 0
        for row in 0..<(planes.layout.rows(plane: plane) ?? 0) {
            try append(planes.row(row, plane: plane), rowBytes)
        }
    }

    /// Adds bytes and writes at once.
    mutating func writeNow(_ bytes: RawSpan) throws(SinkError) {
        try bytes.withUnsafeBytes { (bytes) throws(SinkError) in
            try append(bytes)
            try flush()
        }
    }

    /// Writes all that was added. After an error nothing is left over, and how much was written is unknown.
    mutating func flush() throws(SinkError) {
        let total = count
        count = 0
        let failure = Self.withoutBrokenPipeSignal { writeAll(total) }
        switch failure {
        case 0: return
        case EPIPE: throw .readerClosed
        case let code: throw .system(call: "writev", path: nil, Errno(rawValue: code))
        }
    }

    private func writeAll(_ total: Int) -> Int32 {
        var next = 0
        while next < total {
            let written = writev(descriptor, pieces + next, Int32(total - next))
            if written < 0 {
                switch errno {
                case EINTR: continue
                case EAGAIN:
                    var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&wait, 1, -1)
                    continue
                case let code: return code
                }
            }
            if written == 0 {
                return EIO
            }
            var left = written
            while next < total, left >= pieces[next].iov_len {
                left -= pieces[next].iov_len
                next += 1
            }
            if left > 0 {
                pieces[next].iov_base += left
                pieces[next].iov_len -= left
            }
        }
        return 0
    }

    /// Runs `body`, which returns 0 or an errno value, with `SIGPIPE` blocked for this thread.
    private static func withoutBrokenPipeSignal(_ body: () -> Int32) -> Int32 {
        var brokenPipe = sigset_t()
        sigemptyset(&brokenPipe)
        sigaddset(&brokenPipe, SIGPIPE)
        // One that was pending before isn't ours to take away.
        var pending = sigset_t()
        sigpending(&pending)
        let wasPending = sigismember(&pending, SIGPIPE) == 1
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &brokenPipe, &before)
        let failure = body()
        if failure == EPIPE, !wasPending {
            var none = timespec()
            while sigtimedwait(&brokenPipe, nil, &none) < 0, errno == EINTR {}
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        return failure
    }
}
