import FrameCommand
import FrameShare
import FrameView
import Glibc

/// A run of the view's server, until the command is to stop.
struct ViewSession {
    let server: ViewServer
    let token: String?
    let stop: StopRequest

    /// A server, with a token of its own where one is needed and none was given.
    static func server(_ options: ViewServer.Options) throws -> (ViewServer, token: String?) {
        var options = options
        if options.token == nil, !ViewServer.isLoopback(options.host) { options.token = TokenFile.make() }
        return (try ViewServer(options: options), options.token)
    }

    /// - Parameter onRunning: is told the address that a browser takes
    func run(onRunning: @escaping @Sendable (String) -> Void) throws {
        let task = try BlockingTask { [server, token] in
            try await server.run { port in onRunning(Self.address(server.options, port, token)) }
        }
        stop.whenStopped { server.stop() }
        try task.wait()
    }

    private static func address(_ options: ViewServer.Options, _ port: Int, _ token: String?) -> String {
        let (host, path) = (options.host, options.basePath)
        let name = host == "0.0.0.0" || host == "::" ? Self.machineName : host.contains(":") ? "[\(host)]" : host
        return "http://\(name):\(port)\(path)/" + (token.map { "?token=\($0)" } ?? "")
    }

    /// This machine's first address that others reach; a name would not be one that the server takes.
    private static var machineName: String {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return "127.0.0.1" }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET),
                entry.pointee.ifa_flags & UInt32(IFF_LOOPBACK) == 0
            else { continue }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            if getnameinfo(address, size, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
                return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
        }
        return "127.0.0.1"
    }
}
