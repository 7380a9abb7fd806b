#if View
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// Why a server can't listen, and what to do about it.
enum ListenFailure {
    static func reason(_ error: any Error, host: String, port: Int) async -> String {
        switch error {
        case let error as IOError:
            switch error.errnoCode {
            case EADDRINUSE:
                let holder = (try? await NIOThreadPool.singleton.runIfActive { PortHolder.find(port: port) }) ?? nil
                return "the port is taken by \(holder ?? "another program"); give another, such as "
                    + "--listen \(bracketed(host)):\(port < 65535 ? port + 1 : 8080), or port 0 for any that is free"
            case EACCES:
                return "ports below 1024 are root's; give another, such as --listen \(bracketed(host)):8080"
            case EADDRNOTAVAIL:
                return "this machine has no such address; 'ip address' shows those it has, 0.0.0.0 is all of them"
            default: return String(cString: strerror(error.errnoCode))
            }
        // NIO's error for a name is a type of its own inside the other.
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            return "no address is known for that name; give an address, such as 127.0.0.1"
        default: return "\(error)"
        }
    }

    private static func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
}

/// Who listens on a port, as far as this user may see it.
enum PortHolder {
    static func find(port: Int) -> String? {
        let sockets = Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap { listeners(lines(of: $0), port) })
        guard !sockets.isEmpty else { return nil }
        for pid in numbered(in: "/proc") {
            let folder = "/proc/\(pid)/fd"
            guard numbered(in: folder).contains(where: { sockets.contains(link("\(folder)/\($0)")) }) else { continue }
            let name = lines(of: "/proc/\(pid)/comm").first ?? "a program"
            return "\(name) (pid \(pid))"
        }
        return nil
    }

    /// The sockets that listen there, as links in /proc name them: the tenth column is the inode, 0A is LISTEN.
    private static func listeners(_ lines: [String], _ port: Int) -> [String] {
        lines.dropFirst().compactMap { line in
            let columns = line.split(separator: " ")
            guard columns.count > 9, columns[3] == "0A", let colon = columns[1].lastIndex(of: ":"),
                Int(columns[1][columns[1].index(after: colon)...], radix: 16) == port
            else { return nil }
            return "socket:[\(columns[9])]"
        }
    }

    private static func numbered(in folder: String) -> [Int32] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var numbers: [Int32] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = Int32(name) { numbers.append(number) }
        }
        return numbers
    }

    private static func link(_ path: String) -> String {
        var bytes = [CChar](repeating: 0, count: 128)
        let count = readlink(path, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func lines(of path: String) -> [String] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var (text, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { break }
            text += buffer[..<count]
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
#endif
