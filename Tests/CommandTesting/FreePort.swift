internal import Glibc
import Testing

/// A port of this machine that nobody uses now: one of TCP, or one of UDP.
public func freePort(isUDP: Bool = false) throws -> UInt16 {
    let socket = Glibc.socket(AF_INET, Int32(isUDP ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(socket, $0, size) == 0 && getsockname(socket, $0, &size) == 0
        }
    }
    try #require(result)
    return UInt16(bigEndian: address.sin_port)
}
