#if View
internal import Glibc
internal import NIOPosix
internal import Synchronization

/// The names of this machine by which browsers may reach it, besides `localhost` and addresses. A page of the web can make
/// a name of its own point here, but none of these.
final class MachineNames: Sendable {
    private let given: Set<String>
    /// The full name, where the resolver knows one.
    private let full = Mutex<String?>(nil)

    /// - Parameter given: more names, such as a proxy's
    init(_ given: [String]) {
        self.given = Set(
            given.map { name in
                let name = name.lowercased()
                return name.hasSuffix(".") ? String(name.dropLast()) : name
            }
        )
    }

    /// - Parameter name: in lower case
    func contain(_ name: String) -> Bool {
        if given.contains(name) { return true }
        guard let host = Self.hostName else { return false }
        let short = String(host.prefix { $0 != "." })
        return name == host || name == short || name == short + ".local" || full.withLock { $0 == name }
    }

    /// Asks the resolver for the full name. It may take its time where a network is down.
    func lookUpFullName() async {
        let name = try? await NIOThreadPool.singleton.runIfActive { Self.canonicalName }
        full.withLock { $0 = name ?? nil }
    }

    /// What the kernel knows, now: it may be given another while the server runs.
    private static var hostName: String? {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return nil }
        let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.isEmpty ? nil : text.lowercased()
    }

    /// The full name, if it begins with this machine's own.
    private static var canonicalName: String? {
        guard let host = hostName else { return nil }
        var (hints, list) = (addrinfo(), UnsafeMutablePointer<addrinfo>?.none)
        hints.ai_flags = AI_CANONNAME
        guard getaddrinfo(host, nil, &hints, &list) == 0, let list else { return nil }
        defer { freeaddrinfo(list) }
        guard let text = list.pointee.ai_canonname else { return nil }
        let name = String(cString: text).lowercased()
        return name.hasPrefix(host.prefix { $0 != "." } + ".") ? name : nil
    }
}
#endif
