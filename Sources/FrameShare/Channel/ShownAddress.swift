/// An address as it may be shown: without what may be secret in it. This type alone knows what that is.
///
/// Hidden are: a user's name and password, the values of all query parameters but harmless ones, what follows a `#`, and
/// of RTMP what follows the application's name: the stream's key. What is hidden reads `***`.
package struct ShownAddress: Sendable, CustomStringConvertible {
    /// The address for messages, logs, JSON and `/proc`.
    package let description: String
    /// What was hidden, the longest first, as it stood there and without percent signs.
    private let secrets: [String]

    /// Values that tell how to connect and let nobody in.
    private static let harmless: Set<String> = [
        "buffer_size", "broadcast", "connect", "connect_timeout", "dscp", "fifo_size", "ffs", "inputbw", "iptos",
        "ipttl",
        "latency", "linger", "listen", "listen_timeout", "localaddr", "localport", "localrtcpport", "localrtpport",
        "maxbw", "mode", "mss", "oheadbw", "overrun_nonfatal", "payload_size", "pbkeylen", "peerlatency", "pkt_size",
        "rcvbuf", "rcvlatency", "recv_buffer_size", "reuse", "reuse_socket", "rtcpport", "rw_timeout",
        "send_buffer_size", "smoother", "sndbuf", "tcp", "tcp_nodelay", "timeout", "tlpktdrop", "transport",
        "transtype",
        "ts_timeout", "ttl", "udp",
    ]

    /// - Parameter others: texts beside the address that may be secret, such as options' values
    package init(_ address: String, others: [String] = []) {
        if address.contains("://"), address.hasPrefix("[") || address.contains("|") {
            let parts = address.split(separator: "|", omittingEmptySubsequences: false).map(Part.init)
            description = parts.map(\.shown).joined(separator: "|")
            secrets = Self.sorted(others + parts.flatMap(\.secrets))
            return
        }
        var hidden = others
        var result = ""
        var rest = address[...]
        var scheme = ""
        if let marks = rest.firstRange(of: "://") {
            scheme = rest[..<marks.lowerBound].lowercased()
            result += rest[..<marks.upperBound]
            rest = rest[marks.upperBound...]
        }
        if let at = Self.endOfUser(rest), at > rest.startIndex {
            let user = rest[..<at]
            hidden.append(String(user))
            if let colon = user.firstIndex(of: ":") { hidden.append(String(user[user.index(after: colon)...])) }
            result += "***@"
            rest = rest[rest.index(after: at)...]
        }
        guard !scheme.isEmpty else {
            // A path, whose name may hold any character.
            (description, secrets) = (result + rest, Self.sorted(hidden))
            return
        }
        // Behind a space stand librtmp's own options.
        let end = rest.firstIndex { $0 == "?" || $0 == "#" || $0 == " " } ?? rest.endIndex
        result += Self.path(rest[..<end], scheme, &hidden)
        result += Self.tail(rest[end...], &hidden)
        description = result
        secrets = Self.sorted(hidden)
    }

    /// One of several addresses, as FFmpeg's `tee` takes them: `[f=flv:key=value]rtmp://host/live/key`.
    private struct Part {
        let shown: String
        let secrets: [String]

        init(_ text: Substring) {
            var rest = text
            var (options, hidden) = ("", [String]())
            if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
                let inner = rest[rest.index(after: rest.startIndex)..<end]
                // The container's name is harmless.
                let isName = inner.hasPrefix("f=") && !inner.contains(":")
                options = isName ? "[\(inner)]" : "[***]"
                if !isName { hidden.append(String(inner)) }
                rest = rest[rest.index(after: end)...]
            }
            let address = ShownAddress(String(rest))
            (shown, secrets) = (options + address.description, hidden + address.secrets)
        }
    }

    private static func sorted(_ hidden: [String]) -> [String] {
        let all = Set(hidden + hidden.map(decoded)).filter { $0.utf8.count > 2 && $0 != "***" }
        return all.sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
    }

    /// A text of somebody else, such as a library's error, without what is hidden in this address or any that it names.
    package func redacting(_ text: String) -> String {
        var text = text
        for secret in secrets { text.replace(secret, with: "***") }
        return Self.redacting(text)
    }

    /// A text with each address in it as it may be shown.
    package static func redacting(_ text: String) -> String {
        guard text.contains("://") else { return text }
        var result = ""
        var rest = text[...]
        while let marks = rest.firstRange(of: "://") {
            let before = rest[..<marks.lowerBound]
            let start =
                before.lastIndex { !$0.isLetter && !$0.isNumber }.map { before.index(after: $0) } ?? before.startIndex
            var end =
                rest[marks.upperBound...].firstIndex { $0.isWhitespace || "'\"<>)]".contains($0) } ?? rest.endIndex
            // The sentence's own, not the address's.
            while end > marks.upperBound, ":,.;".contains(rest[rest.index(before: end)]) {
                end = rest.index(before: end)
            }
            result += rest[..<start]
            result += ShownAddress(String(rest[start..<end])).description
            rest = rest[end...]
        }
        return result + rest
    }

    /// Where the `@` behind a user's name and password is. A password may hold any character, even `/`, `?` and `@`.
    private static func endOfUser(_ rest: Substring) -> Substring.Index? {
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@") { return at }
        // Before the slash stands no host and port, so the password goes on behind it.
        guard !authority.hasPrefix("["), let colon = authority.firstIndex(of: ":") else { return nil }
        let port = authority[authority.index(after: colon)...]
        guard port.contains(where: { !$0.isASCII || !$0.isNumber }) else { return nil }
        return rest.lastIndex(of: "@")
    }

    private static func path(_ path: Substring, _ scheme: String, _ hidden: inout [String]) -> String {
        guard scheme.hasPrefix("rtmp") else { return String(path) }
        var slashes = path.indices.filter { path[$0] == "/" }[...]
        guard slashes.popFirst() != nil, let second = slashes.first else { return String(path) }
        let key = path[path.index(after: second)...]
        guard !key.isEmpty else { return String(path) }
        hidden.append(String(key))
        return path[...second] + "***"
    }

    private static func tail(_ tail: Substring, _ hidden: inout [String]) -> String {
        guard let mark = tail.first else { return "" }
        let text = tail.dropFirst()
        guard mark == "?" else {
            hidden.append(String(text))
            return text.isEmpty ? "" : "\(mark)***"
        }
        let end = text.firstIndex { $0 == "#" || $0 == " " } ?? text.endIndex
        let parameters = text[..<end].split(separator: "&", omittingEmptySubsequences: false).map { parameter in
            guard let equals = parameter.firstIndex(of: "=") else {
                // A value without a name.
                guard !parameter.isEmpty, !harmless.contains(decoded(String(parameter)).lowercased()) else {
                    return String(parameter)
                }
                hidden.append(String(parameter))
                return "***"
            }
            let value = parameter[parameter.index(after: equals)...]
            guard !value.isEmpty, !harmless.contains(decoded(String(parameter[..<equals])).lowercased()) else {
                return String(parameter)
            }
            hidden.append(String(value))
            return parameter[...equals] + "***"
        }
        return "?" + parameters.joined(separator: "&") + Self.tail(text[end...], &hidden)
    }

    /// Without percent signs.
    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
