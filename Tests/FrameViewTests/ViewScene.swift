#if View
import CommandTesting
import Foundation
import Glibc
import Testing

/// A view's server as a process of its own, and the publishers that a test starts.
final class ViewScene {
    let folder: ChannelFolder
    let server: CommandRun
    /// With the token, where there is one.
    let address: String
    let port: UInt16
    /// Kept: each ends with its run.
    private var publishers: [CommandRun] = []

    init(_ arguments: String..., listen: String = "127.0.0.1:0") throws {
        let folder = try ChannelFolder()
        let server = try CommandRun(["view", "--json", "--listen", listen] + arguments, in: folder)
        eventually { !server.isRunning || server.outputSoFar.hasSuffix("\n") }
        try #require(server.isRunning, "\(server.errorsSoFar)")
        address = try Document(server.outputSoFar)["address"].text
        port = try #require(URL(string: address)?.port.flatMap { UInt16(exactly: $0) })
        (self.folder, self.server) = (folder, server)
    }

    /// Publishes the test pattern, and waits until the view has seen it.
    @discardableResult
    func publish(_ channel: String = "cam", _ arguments: String...) throws -> CommandRun {
        let run = try CommandRun(
            ["publish", "--channel", channel, "--size", "160x120"] + arguments,
            in: folder
        )
        publishers.append(run)
        try eventually { try !run.isRunning || state(of: channel) == "live" }
        try #require(run.isRunning, "\(run.errorsSoFar)")
        return run
    }

    func state(of channel: String) throws -> String? {
        let answer = try get("/api/channels")
        return try Document(answer.text)["channels"].elements.first { try $0["name"].text == channel }?["state"].text
    }

    func get(_ path: String, _ headers: String...) throws -> HTTPAnswer {
        try ask("GET", path, headers)
    }

    func ask(_ method: String, _ path: String, _ headers: [String], body: String? = nil) throws -> HTTPAnswer {
        let connection = try HTTPConnection(port: port)
        var head = "\(method) \(path) HTTP/1.1\r\nConnection: close\r\n"
        if !headers.contains(where: { $0.lowercased().hasPrefix("host:") }) { head += "Host: 127.0.0.1:\(port)\r\n" }
        for header in headers { head += header + "\r\n" }
        if let body { head += "Content-Length: \(body.utf8.count)\r\n" }
        try connection.send(head + "\r\n" + (body ?? ""))
        return try #require(HTTPAnswer(connection.readToEnd()), "no answer to \(method) \(path)")
    }

    /// What a metric says now; nil where it is not told.
    func metric(_ line: String) throws -> Int? {
        try get("/metrics").text.split(separator: "\n").first { $0.hasPrefix(line + " ") }
            .flatMap { Int($0.dropFirst(line.count + 1)) }
    }
}

/// An answer that has come whole.
struct HTTPAnswer {
    var status: Int
    var headers: [String: String] = [:]
    var body: Data

    var text: String { String(decoding: body, as: UTF8.self) }

    init?(_ bytes: Data) {
        guard let end = bytes.range(of: Data("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        self.status = status
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces
            )
        }
        body = Data(bytes[end.upperBound...])
    }
}

/// A bare connection, for whatever a client may do.
final class HTTPConnection: Sendable {
    private let socket: Int32

    /// - Parameter receiveBuffer: the kernel's, in bytes: small for a client that does not read
    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        try #require(socket >= 0)
        if var receiveBuffer { setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, 4) }
        // A test that would wait for ever ends here.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0, "\(String(cString: strerror(errno)))")
    }

    deinit { close(socket) }

    func shutDown() { shutdown(socket, Int32(SHUT_RDWR)) }
    /// Hangs up without a goodbye.
    func reset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }
    func shutDownWriting() { shutdown(socket, Int32(SHUT_WR)) }

    func send(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }  // hung up on, which the answer tells
            rest = rest.dropFirst(count)
        }
    }

    /// What comes next; empty at the end, or when nothing came for a minute.
    func read() -> Data {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(socket, &buffer, buffer.count, 0)
        return count > 0 ? Data(buffer[..<count]) : Data()
    }

    func readToEnd() -> Data {
        var all = Data()
        while true {
            let more = read()
            if more.isEmpty { return all }
            all += more
        }
    }

    /// Reads until so much has come of something, at most so long.
    func read(_ text: String, times: Int) -> Int {
        var (all, found) = (Data(), 0)
        while found < times {
            let more = read()
            if more.isEmpty { break }
            all += more
            while let range = all.range(of: Data(text.utf8)) {
                found += 1
                all = all[range.upperBound...]
            }
        }
        return found
    }

    /// Whether the other side hangs up within the time.
    func isClosed(within seconds: Int) -> Bool {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        while true {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            let count = recv(socket, &buffer, buffer.count, 0)
            if count == 0 { return true }
            if count < 0 { return errno != EAGAIN }
        }
    }
}
#endif
