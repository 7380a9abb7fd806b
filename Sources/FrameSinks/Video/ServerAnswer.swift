#if FFmpeg
internal import CLinuxMedia
internal import Glibc

/// What an HTTP server says to a request whose body has no end.
///
/// libavformat sends such a request, and reads no answer to it. So this looks at the connection itself, at a duplicate of
/// libavformat's descriptor. Of an encrypted connection only the end can be seen. Not for several threads at once.
final class ServerAnswer {
    /// What ends the request.
    enum Refusal: Equatable {
        /// A status of 300 or more, with the server's own words.
        case status(String)
        case closed

        var text: String {
            switch self {
            case .status(let words): "the server answers \(words)"
            case .closed: "the server has closed the connection"
            }
        }
    }

    private let descriptor: Int32
    private let isEncrypted: Bool
    /// The body goes in chunks, the last of which is empty.
    private let isChunked: Bool
    /// The body was ended here.
    private(set) var hasEnded = false
    private let began = ContinuousClock.now
    /// The server has answered that it takes the request.
    private(set) var isAccepted = false
    /// Bytes have come, and the status line is not whole.
    private var isPartial = false
    /// The connection has failed, rather than ended.
    private var isBroken = false

    /// How long a server has to refuse a request before it counts as taken.
    private static let patience = Duration.seconds(2)

    /// Whether an address is one of HTTP.
    static func isHTTP(_ address: String) -> Bool {
        let scheme = address.prefix { $0 != ":" }.lowercased()
        return ["http", "https", "icecast"].contains(scheme)
    }

    /// Finds the connection that `open` makes.
    /// - Returns: what `open` returned; and nil for an answer where no connection, or more than one, is new
    static func opening(_ address: String, _ open: () -> Int32) -> (result: Int32, answer: ServerAnswer?) {
        let before = connections()
        let result = open()
        guard result >= 0 else { return (result, nil) }
        let new = connections().subtracting(before)
        guard new.count == 1, let number = new.first else { return (result, nil) }
        let own = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard own >= 0 else { return (result, nil) }
        return (result, ServerAnswer(own, scheme: address.prefix { $0 != ":" }.lowercased()))
    }

    private init(_ descriptor: Int32, scheme: String) {
        (self.descriptor, isEncrypted, isChunked) = (descriptor, scheme == "https", scheme != "icecast")
    }

    deinit { close(descriptor) }

    /// Whether the server has taken the request, as far as can be known.
    var isTaken: Bool { isAccepted || ContinuousClock.now - began >= Self.patience }

    /// Looks at what has come, without waiting.
    func look() -> Refusal? { look(milliseconds: 0) }

    /// Ends the request's body, waits for the answer, and ends the connection.
    ///
    /// libavformat would end the body, read what has come in that very moment, and pass over it. Where it has to do that
    /// itself (with encryption, and without chunks), nothing is done here: ``hasEnded`` stays false.
    func end(atMost time: Duration) -> Refusal? {
        guard isChunked, !isEncrypted, !hasEnded else { return nil }
        hasEnded = true
        // libavformat can neither send the end once more nor read the answer.
        defer { shutdown(descriptor, Int32(SHUT_RDWR)) }
        let deadline = ContinuousClock.now + time
        var rest = Array("0\r\n\r\n".utf8)
        while !rest.isEmpty {
            let count = send(descriptor, rest, rest.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            if count > 0 { rest.removeFirst(count) }
            guard count < 0 else { continue }
            guard errno == EAGAIN || errno == EINTR, ContinuousClock.now < deadline else { return look() ?? .closed }
            if let refusal = look() { return refusal }
            var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = poll(&state, 1, 50)
        }
        let refusal = wait(atMost: time)
        return refusal ?? (isBroken && !isAccepted ? .closed : nil)
    }

    /// Waits for the answer to a request that has ended.
    func wait(atMost time: Duration) -> Refusal? {
        let deadline = ContinuousClock.now + time
        while !isAccepted, ContinuousClock.now < deadline {
            switch look(milliseconds: 50) {
            case .status(let words)?: return .status(words)
            // The end is what it should be, and libavformat may have read the answer itself.
            case .closed?: return nil
            // Bytes that stay there end each wait at once.
            case nil: if isPartial { usleep(50_000) }
            }
        }
        return nil
    }

    private func look(milliseconds: Int32) -> Refusal? {
        let events = isEncrypted ? FS_POLL_HUNG_UP : Int16(POLLIN) | FS_POLL_HUNG_UP
        var state = pollfd(fd: descriptor, events: events, revents: 0)
        guard poll(&state, 1, milliseconds) > 0 else { return nil }
        let isOver = state.revents & (FS_POLL_HUNG_UP | Int16(POLLHUP | POLLERR)) != 0
        if state.revents & Int16(POLLERR) != 0 { isBroken = true }
        if !isEncrypted, let refusal = readStatus() { return refusal }
        return isOver && !isAccepted ? .closed : nil
    }

    /// The status line, once it is whole.
    private func readStatus() -> Refusal? {
        isPartial = false
        while !isAccepted {
            var bytes = [UInt8](repeating: 0, count: 4096)
            // It stays there: libavformat may read it.
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_PEEK | MSG_DONTWAIT))
            guard count > 0 else { return nil }
            let received = bytes[..<count]
            isPartial = true
            guard let end = received.firstIndex(of: 10) else { return nil }
            let line = String(decoding: received[..<end].filter { $0 != 13 }, as: UTF8.self)
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].hasPrefix("HTTP/"), let code = Int(parts[1].prefix(3)) else {
                return .status("'\(line.prefix(80))'")
            }
            if code >= 300 { return .status(String(parts[1].prefix(80))) }
            guard code < 200 else {
                (isAccepted, isPartial) = (true, false)
                return nil
            }
            // "Go on", and the like: its header ends with an empty line, and the answer itself follows.
            guard let size = Self.headerSize(received) else { return nil }
            _ = recv(descriptor, &bytes, size, Int32(MSG_DONTWAIT))
            isPartial = false
        }
        return nil
    }

    private static func headerSize(_ bytes: ArraySlice<UInt8>) -> Int? {
        bytes.indices.first { bytes[$0...].starts(with: [13, 10, 13, 10]) }.map { $0 + 4 }
    }

    /// This process's connected TCP sockets.
    private static func connections() -> Set<Int32> {
        guard let folder = opendir("/proc/self/fd") else { return [] }
        defer { closedir(folder) }
        var found: Set<Int32> = []
        while let entry = readdir(folder) {
            let number = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { Int32(String(cString: $0)) }
            }
            if let number, isConnection(number) { found.insert(number) }
        }
        return found
    }

    private static func isConnection(_ number: Int32) -> Bool {
        func option(_ name: Int32) -> Int32? {
            var (value, size) = (Int32(0), socklen_t(4))
            return getsockopt(number, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
        }
        guard let family = option(SO_DOMAIN), family == AF_INET || family == AF_INET6,
            option(SO_TYPE) == Int32(SOCK_STREAM.rawValue)
        else { return false }
        var (peer, size) = (sockaddr_storage(), socklen_t(MemoryLayout<sockaddr_storage>.size))
        return withUnsafeMutablePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(number, $0, &size) == 0 }
        }
    }
}
#endif
