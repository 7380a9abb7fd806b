import Foundation
import FrameSinks
import PixelFormats
import Synchronization
import SystemPackage
import Testing

/// Both ends of a pipe.
private struct PipeEnds {
    let reading: Int32
    let writing: Int32

    init(flags: Int32 = 0) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw Errno(rawValue: errno)
        }
        (reading, writing) = (ends[0], ends[1])
        if flags != 0 {
            _ = fcntl(writing, F_SETFL, flags)
        }
    }
}

/// Reads a pipe to its end on a thread of its own, in small and slow bites: tests that write block the test runner's
/// threads.
private final class SlowReader: Sendable {
    private let bytes = Mutex<[UInt8]>([])
    private let done = DispatchSemaphore(value: 0)

    init(_ descriptor: Int32, atOnce: Int) {
        Thread.detachNewThread { [self] in
            var result: [UInt8] = []
            var bite = [UInt8](repeating: 0, count: atOnce)
            while case let count = read(descriptor, &bite, atOnce), count > 0 {
                result += bite[..<count]
                usleep(50)
            }
            close(descriptor)
            bytes.withLock { $0 = result }
            done.signal()
        }
    }

    /// Everything that came, once the writing end is closed.
    func result() -> [UInt8] {
        done.wait()
        return bytes.withLock { $0 }
    }
}

@Suite("Output to pipes", .timeLimit(.minutes(10)))
struct PipeTests {
    @Test("all bytes come out of a pipe that takes only a part at a time, blocking or not", arguments: [0, O_NONBLOCK])
    func partialWrites(flags: Int32) throws {
        // 600 rows, each with padding: several writev calls of 256 pieces, all larger than the pipe.
        let image = try PatternImage(.yuv420, 801, 600, strideAlignment: 64)
        let ends = try PipeEnds(flags: flags)
        let reader = SlowReader(ends.reading, atOnce: 10_007)
        do {
            var writer = RawWriter(descriptor: ends.writing)
            try writer.write(image.layout, image.bytes.span.bytes)
        }
        close(ends.writing)
        #expect(reader.result() == image.tight)
    }

    @Test("a reader that has gone is an error of its own, and its signal kills nobody")
    func readerClosed() throws {
        let image = try PatternImage(.yuv420)
        let ends = try PipeEnds()
        close(ends.reading)
        defer { close(ends.writing) }
        for _ in 0..<2 {
            #expect(throws: SinkError.readerClosed) {
                var writer = RawWriter(descriptor: ends.writing)
                try writer.write(image.layout, image.bytes.span.bytes)
            }
            #expect(throws: SinkError.readerClosed) {
                _ = try Y4MWriter(descriptor: ends.writing, layout: image.layout)
            }
        }
        var pending = sigset_t()
        sigpending(&pending)
        #expect(sigismember(&pending, SIGPIPE) == 0)
        var mask = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &mask)
        #expect(sigismember(&mask, SIGPIPE) == 0)
    }

    @Test("a reader that goes in the middle of an image is noticed")
    func readerLeaves() throws {
        let image = try PatternImage(.yuv420, 1280, 720)
        let ends = try PipeEnds()
        let reading = ends.reading
        Thread.detachNewThread {
            var bite = [UInt8](repeating: 0, count: 100_000)
            _ = read(reading, &bite, bite.count)
            close(reading)
        }
        defer { close(ends.writing) }
        #expect(throws: SinkError.readerClosed) {
            var writer = RawWriter(descriptor: ends.writing)
            for _ in 0..<10 {
                try writer.write(image.layout, image.bytes.span.bytes)
            }
        }
    }

    @Test("other failures are told with the call and errno")
    func failures() throws {
        let image = try PatternImage(.yuv420)
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        defer { close(full) }
        for (descriptor, code) in [(full, Errno.noSpace), (-1, .badFileDescriptor)] {
            #expect(throws: SinkError.system(call: "writev", path: nil, code)) {
                var writer = RawWriter(descriptor: descriptor)
                try writer.write(image.layout, image.bytes.span.bytes)
            }
        }
    }
}
