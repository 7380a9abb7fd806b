import Glibc

/// A channel folder of one test, and the processes that use it. Removed with this object.
package final class PeerFolder: Sendable {
    /// Open to other users, and short: a socket's path has at most 107 bytes.
    package let path: String

    package init() throws {
        var template = Array("/tmp/fs-fault-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PeerFailure("no folder in /tmp: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
    }

    deinit {
        for name in files { unlink(path + "/" + name) }
        rmdir(path)
    }

    /// The names of the files in it, sorted.
    package var files: [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package func socket(_ channel: String = "camera") -> String { "\(path)/\(channel).sock" }

    /// Starts a publisher; `publishing()` waits until it is one.
    package func startPublisher(
        _ options: String...,
        channel: String = "camera",
        below: [String] = []
    ) throws -> PeerProcess {
        try PeerProcess(
            below + [PeerProcess.besideTests("frameshare-test-peer"), "publish", path, channel] + options,
            environment: below.isEmpty ? [] : ["ASAN_OPTIONS=detect_leaks=0"]
        )
    }

    package func publisher(_ options: String..., channel: String = "camera") async throws -> PeerProcess {
        let publisher = try PeerProcess(
            [PeerProcess.besideTests("frameshare-test-peer"), "publish", path, channel] + options
        )
        try await publisher.line("publishing")
        return publisher
    }

    /// Starts a subscriber, whether or not it can get in.
    package func startSubscriber(
        _ options: String...,
        channel: String = "camera",
        below: [String] = []
    ) throws -> PeerProcess {
        try PeerProcess(
            below + [PeerProcess.besideTests("frameshare-test-peer"), "subscribe", path, channel] + options,
            environment: below.isEmpty ? [] : ["ASAN_OPTIONS=detect_leaks=0"]
        )
    }

    /// Starts a subscriber and waits until it is attached.
    package func subscriber(_ options: String..., channel: String = "camera") async throws -> PeerProcess {
        let subscriber = try PeerProcess(
            [PeerProcess.besideTests("frameshare-test-peer"), "subscribe", path, channel] + options
        )
        try await subscriber.line("attached")
        return subscriber
    }

    /// Starts a peer that breaks the protocol: `subscribe BEHAVIOUR …`, `publish BEHAVIOUR`, `attack`.
    package func hostile(_ role: String, _ arguments: String..., channel: String = "camera") throws -> PeerProcess {
        try PeerProcess([PeerProcess.besideTests("frameshare-hostile-peer"), role, socket(channel)] + arguments)
    }
}
