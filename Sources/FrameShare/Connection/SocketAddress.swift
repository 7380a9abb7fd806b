internal import Glibc

/// The address of a socket in the file system: its path, as bytes.
package struct SocketAddress {
    /// `sun_path` holds 108 bytes with the zero at their end.
    package static let longestPath = 107

    private var address = sockaddr_un()

    /// Nil for a path that is too long.
    package init?(_ path: String) {
        let bytes = PathText.cString(path)
        guard bytes.count <= Self.longestPath + 1 else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { room in
            bytes.withUnsafeBytes { room.copyMemory(from: $0) }
        }
    }

    /// `bind(2)`. Returns 0 or the error's number.
    package func bind(_ socket: Int32) -> Int32 { use { Glibc.bind(socket, $0, $1) } }

    /// `connect(2)`. Returns 0 or the error's number.
    package func connect(_ socket: Int32) -> Int32 { use { Glibc.connect(socket, $0, $1) } }

    private func use(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? 0 : errno
            }
        }
    }
}
