import FrameShare
import Glibc
import Synchronization
import Testing

/// The channel's socket as a file: its mode is right whenever it can be seen, and no other file's is touched.
@Suite("The socket's file", .timeLimit(.minutes(10)))
struct SocketFileTests {
    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : nil
    }

    @Test("it has its mode whatever the process's mask is, and nothing else is left", arguments: [0o600, 0o660, 0o666])
    func modes(_ wanted: UInt32) throws {
        let channel = try TestChannel()
        let path = channel.directory.path + "/\(channel.name).sock"
        let publisher = try channel.publisher { $0.access.mode = wanted }
        #expect(mode(path).map { UInt32($0 & 0o777) } == wanted)
        #expect(mode(path + ".new") == nil)
        publisher.close()
        #expect(mode(path) == nil)
    }

    @Test("it never shows with another mode than it is to have")
    func noMoment() async throws {
        let channel = try TestChannel()
        let path = channel.directory.path + "/\(channel.name).sock"
        final class Flag: Sendable { let value = Atomic(false) }
        let isOver = Flag()
        let watcher = OwnThread { () -> [mode_t] in
            var seen: Set<mode_t> = []
            while !isOver.value.load(ordering: .relaxed) {
                var status = stat()
                if lstat(path, &status) == 0 { seen.insert(status.st_mode & 0o777) }
            }
            return seen.sorted()
        }
        for _ in 0..<40 { try channel.publisher { $0.access.mode = 0o622 }.close() }
        isOver.value.store(true, ordering: .relaxed)
        #expect(try await watcher.value.allSatisfy { $0 == 0o622 })
    }

    @Test("a link in its place is replaced, and what it points to keeps its mode")
    func link() throws {
        let channel = try TestChannel()
        let path = channel.directory.path + "/\(channel.name).sock"
        let other = channel.directory.path + "/other"
        close(open(other, O_CREAT | O_WRONLY, 0o600))
        defer { unlink(other) }
        #expect(symlink(other, path) == 0)
        let publisher = try channel.publisher { $0.access.mode = 0o666 }
        #expect(mode(other).map { $0 & 0o777 } == 0o600)
        #expect(mode(path).map { $0 & S_IFMT } == S_IFSOCK)
        #expect(try channel.monitor().snapshot().channel == channel.name)
        publisher.close()
    }

    @Test("a folder whose name is no UTF-8 is the one that is meant, and nothing is left in it")
    func otherBytes() throws {
        let channel = try TestChannel()
        let name = Array(channel.directory.path.utf8CString.dropLast()) + [0x2F, 0x64, CChar(bitPattern: 0xE9), 0]
        // The publisher makes it.
        let directory = ChannelDirectory(path: channel.directory.path + "/d\u{F7E9}")
        var options = Publisher.Options()
        options.directory = directory
        let publisher = try Publisher(channel: "cam", streams: ["main": .small], slots: 4, options: options)
        #expect(access(name, W_OK) == 0)
        #expect(try directory.channels() == ["cam"])
        var own = Subscriber.Options()
        own.directory = directory
        try Subscriber(channel: "cam", policy: .latest, options: own).close()
        #expect(try ChannelMonitor(channel: "cam", directory: directory).snapshot().channel == "cam")
        publisher.close()
        #expect(rmdir(name) == 0)
        #expect(throws: ChannelError.self) {
            let deep = ChannelDirectory(path: "/tmp/" + String(repeating: "\u{F7E9}", count: 100))
            _ = try ChannelMonitor(channel: "cam", directory: deep)
        }
    }

    @Test("what a killed publisher has left of it is used again; what is not this user's own is refused")
    func leftOver() throws {
        let channel = try TestChannel()
        let folder = channel.directory.path + "/\(channel.name).sock.new"
        #expect(mkdir(folder, 0o700) == 0)
        close(open(folder + "/s", O_CREAT | O_WRONLY, 0o600))
        try channel.publisher().close()
        #expect(mode(folder) == nil)
        #expect(mkdir(folder, 0o700) == 0 && chmod(folder, 0o777) == 0)
        defer { rmdir(folder) }
        #expect(throws: ChannelError.self) { try channel.publisher() }
        let elsewhere = channel.directory.path + "/elsewhere"
        #expect(rmdir(folder) == 0 && mkdir(elsewhere, 0o700) == 0 && symlink(elsewhere, folder) == 0)
        defer { rmdir(elsewhere) }
        #expect(throws: ChannelError.self) { try channel.publisher() }
        unlink(folder)
    }
}
