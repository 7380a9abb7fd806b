import Foundation
import FrameShare
import FrameSinks
import Glibc
import Synchronization
import Testing

@Suite("Sockets for triggers", .timeLimit(.minutes(10)))
struct TriggerSocketTests {
    private final class Seen: Sendable {
        let isOver = Atomic(false)
        let isDone = Atomic(false)
        let wrong = Atomic(UInt32(0))
    }

    @Test("one never shows with a mode that lets others in, and goes with its recorder")
    func mode() throws {
        let folder = try TemporaryFolder()
        let directory = ChannelDirectory(path: folder.path)
        let path = folder.path("cam.\(getpid())-0.trigger")
        let seen = Seen()
        Thread.detachNewThread {
            while !seen.isOver.load(ordering: .relaxed) {
                var status = stat()
                if lstat(path, &status) == 0, status.st_mode & 0o7777 != 0o600 {
                    seen.wrong.store(UInt32(status.st_mode), ordering: .relaxed)
                }
            }
            seen.isDone.store(true, ordering: .relaxed)
        }
        for _ in 0..<200 { _ = try TriggerSocket(channel: "cam", directory: directory) }
        let socket = try TriggerSocket(channel: "cam", directory: directory)
        let second = try TriggerSocket(channel: "cam", directory: directory)
        #expect(try folder.contents.count == 2)
        #expect(try TriggerSocket.send(.init(post: .seconds(1)), channel: "cam", directory: directory) == 2)
        #expect(socket.receive() == .init(post: .seconds(1)))
        #expect(second.receive() != nil)
        seen.isOver.store(true, ordering: .relaxed)
        while !seen.isDone.load(ordering: .relaxed) { usleep(1000) }
        #expect(seen.wrong.load(ordering: .relaxed) == 0)
    }

    @Test("one whose recorder was killed is taken away, and one in a folder that is no UTF-8 is reached")
    func folders() throws {
        let folder = try TemporaryFolder()
        let directory = ChannelDirectory(path: folder.path + "/d\u{F7E9}")
        let name = Array(folder.path.utf8CString.dropLast()) + [0x2F, 0x64, CChar(bitPattern: 0xE9), 0]
        #expect(mkdir(name, 0o700) == 0)
        do {
            let socket = try TriggerSocket(channel: "cam", directory: directory)
            #expect(TriggerSocket.isAwaited(channel: "cam", directory: directory))
            #expect(try TriggerSocket.send(.init(), channel: "cam", directory: directory) == 1)
            #expect(socket.receive() != nil)
        }
        #expect(rmdir(name) == 0, "nothing is left")
    }
}
