public import Foundation

/// A temporary `FRAMESHARE_DIR`, removed at the end.
public final class ChannelFolder: Sendable {
    private let root: URL

    /// Short: a socket's path has at most 107 bytes.
    public init() throws {
        root = URL(fileURLWithPath: "/tmp/fs-cli-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: root.appendingPathComponent("c"), withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    /// The folder for channels: empty at first.
    public var path: String { root.appendingPathComponent("c").path }

    public var sockets: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }

    /// A new name outside the channel folder.
    public func scratchFile() -> URL { root.appendingPathComponent(UUID().uuidString) }
}
