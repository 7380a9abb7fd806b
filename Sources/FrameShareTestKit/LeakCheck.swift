internal import FrameShare
internal import Glibc

/// Tells what a piece of code left behind in this process: descriptors that it did not close, mappings that it did not
/// unmap.
///
/// ```swift
/// let camera = try FakeCamera()
/// let check = LeakCheck(channel: camera.channel)
/// try await runDetector(on: camera)
/// #expect(await check.leaks() == [])
/// ```
///
/// With a channel's name only the memory of that channel counts, so that tests which run at the same time don't disturb
/// one another. Without one, everything counts, sockets and threads' own descriptors too: for a test that runs alone.
public struct LeakCheck: Sendable {
    private let channel: String?
    private let before: [String: Int]

    /// Notes what there is now.
    public init(channel: String? = nil) {
        self.channel = channel
        before = Self.inventory(channel)
    }

    /// What there is more of than at the start, a line each, such as `mapping of memfd:frameshare:fake-a1b2c3:main:0`.
    /// Empty when there is nothing.
    ///
    /// A channel's own thread notices a moment later that someone has left: so this waits until there is nothing.
    /// - Parameter timeout: how long to wait before it counts as a leak
    public func leaks(timeout: Duration = .seconds(60)) async -> [String] {
        let patience = Patience(timeout)
        while true {
            let found = leaksNow()
            if found.isEmpty { return [] }
            do throws(ChannelError) { try await patience.pause() } catch { return found }
        }
    }

    /// As ``leaks(timeout:)``, at this moment.
    public func leaksNow() -> [String] {
        Self.inventory(channel)
            .compactMap { name, count in
                let more = count - (before[name] ?? 0)
                guard more > 0 else { return nil }
                return more == 1 ? name : "\(name), \(more) times"
            }
            .sorted()
    }

    /// Counts descriptors and mappings by what is behind them.
    private static func inventory(_ channel: String?) -> [String: Int] {
        var counts: [String: Int] = [:]
        for target in descriptorTargets() where isCounted(target, channel) {
            counts["descriptor of \(readable(target))", default: 0] += 1
        }
        for path in mappedPaths() where isCounted(path, channel) {
            counts["mapping of \(readable(path))", default: 0] += 1
        }
        return counts
    }

    private static func isCounted(_ target: String, _ channel: String?) -> Bool {
        guard let channel else { return true }
        let prefix = "/memfd:frameshare:\(channel)"
        guard target.hasPrefix(prefix) else { return false }
        // Not another channel whose name begins with this one's.
        let rest = target.dropFirst(prefix.count)
        return rest.isEmpty || rest.hasPrefix(":") || rest.hasPrefix(" ")
    }

    /// `/memfd:name (deleted)` as `memfd:name`; sockets without their number, which differs each time.
    private static func readable(_ target: String) -> String {
        var text = Substring(target)
        if text.hasPrefix("/memfd:") { text = text.dropFirst() }
        if text.hasSuffix(" (deleted)") { text = text.dropLast(10) }
        if text.hasPrefix("socket:") || text.hasPrefix("pipe:") { return String(text.prefix { $0 != ":" }) }
        return String(text)
    }

    private static func descriptorTargets() -> [String] {
        guard let folder = opendir("/proc/self/fd") else { return [] }
        defer { closedir(folder) }
        let own = String(dirfd(folder))
        var targets: [String] = []
        var buffer = [CChar](repeating: 0, count: 4096)
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != own, !name.hasPrefix(".") else { continue }
            let length = readlink("/proc/self/fd/" + name, &buffer, buffer.count)
            guard length > 0 else { continue }
            targets.append(String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        return targets
    }

    /// The names of mapped memfds and dma-bufs, once for each mapping.
    private static func mappedPaths() -> [String] {
        guard let file = fopen("/proc/self/maps", "re") else { return [] }
        defer { fclose(file) }
        var paths: [String] = []
        var line = [CChar](repeating: 0, count: 8192)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard let start = text.firstIndex(of: "/") else { continue }
            let path = text[start...].split(separator: "\n").first.map(String.init) ?? ""
            if path.hasPrefix("/memfd:") || path.hasPrefix("/dmabuf:") { paths.append(path) }
        }
        return paths
    }
}
