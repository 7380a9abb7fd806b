import FrameShare
import Glibc
import PeerTesting
import Testing

extension FaultTests {
    /// Many come at once, while the publisher has no time for them.
    @Suite("A crowd")
    struct CrowdTests {
        @Test("all that connect at once are let in, however many wait")
        func crowd() async throws {
            let folder = try PeerFolder()
            let publisher = try await folder.publisher("slots=4")
            let directory = ChannelDirectory(path: folder.path)
            let channel = "camera"
            publisher.kill(SIGSTOP)
            try await publisher.becomes("T")
            let monitors = (0..<110).map { _ in
                OwnThread { try ChannelMonitor(channel: channel, directory: directory, timeout: .seconds(300)) }
            }
            let subscribers = (0..<60).map { _ in
                OwnThread {
                    var options = Subscriber.Options()
                    options.directory = directory
                    options.connectTimeout = .seconds(300)
                    return try Subscriber(channel: channel, options: options)
                }
            }
            try await Task.sleep(for: .milliseconds(50))
            publisher.kill(SIGCONT)
            for one in monitors { #expect(try await one.value.channel == channel) }
            for one in subscribers { try await one.value.close() }
        }

        @Test("a full queue of connections is waited for, by subscribers and monitors, and no longer than they may")
        func fullQueue() async throws {
            let channel = try TestChannel()
            let listening = try FullQueue(at: channel.directory.path + "/\(channel.name).sock")
            let late = ChannelError.handshakeTimeout(channel: channel.name)
            #expect(throws: late) {
                _ = try ChannelMonitor(
                    channel: channel.name,
                    directory: channel.directory,
                    timeout: .milliseconds(20)
                )
            }
            #expect(throws: late) { _ = try channel.subscriber { $0.connectTimeout = .milliseconds(20) } }
            let monitor = OwnThread {
                try ChannelMonitor(channel: channel.name, directory: channel.directory, timeout: .seconds(300))
            }
            let subscriber = OwnThread { try channel.subscriber { $0.connectTimeout = .seconds(300) } }
            try await Task.sleep(for: .milliseconds(20))
            // Both get through once there is room, and say hello.
            #expect(try await listening.greetings(2) == 2)
            listening.close()
            await #expect(throws: ChannelError.self) { _ = try await monitor.value }
            await #expect(throws: ChannelError.self) { _ = try await subscriber.value }
        }
    }
}

/// A listening socket of a publisher that has taken nobody, with its queue full.
private final class FullQueue: Sendable {
    private let number: Int32
    private let fillers: [Int32]

    init(at path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        func use(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    call($0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let listening = socket(AF_UNIX, type, 0)
        try #require(use { bind(listening, $0, $1) } == 0 && listen(listening, 0) == 0)
        var made: [Int32] = []
        while true {
            let one = socket(AF_UNIX, type, 0)
            made.append(one)
            if use({ connect(one, $0, $1) }) != 0 { break }
        }
        try #require(errno == EAGAIN)
        (number, fillers) = (listening, made)
    }

    deinit { for one in fillers { Glibc.close(one) } }

    /// Takes connections until so many have said something.
    func greetings(_ wanted: Int) async throws -> Int {
        var (open, said) = ([Int32](), 0)
        defer { for one in open { Glibc.close(one) } }
        var byte = [UInt8](repeating: 0, count: 4096)
        while said < wanted {
            let taken = accept4(number)
            if taken >= 0 { open.append(taken) }
            for one in open where recv(one, &byte, byte.count, Int32(MSG_DONTWAIT)) > 0 { said += 1 }
            if taken < 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
        return said
    }

    private func accept4(_ number: Int32) -> Int32 { accept(number, nil, nil) }

    func close() { Glibc.close(number) }
}
