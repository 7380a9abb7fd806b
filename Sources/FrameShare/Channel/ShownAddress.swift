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

    /// What FFmpeg sends to and takes from by a network. Their addresses need no slashes: it takes `rtsp:me:secret@host`.
    private static let networks: Set<String> = [
        "amqp", "dtls", "ffrtmpcrypt", "ffrtmphttp", "ftp", "gopher", "gophers", "http", "httpproxy", "https",
        "icecast", "ipfs", "ipns", "mmsh", "mmst", "rist", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts", "rtp",
        "rtsp",
        "rtsps", "sctp", "sftp", "smb", "srt", "srtp", "tcp", "tls", "udp", "udplite",
    ]

    /// A name for messages that is no address, whatever stands in it.
    package init(file path: String) { (description, secrets) = (path, []) }

    /// - Parameter others: texts beside the address that may be secret, such as options' values
    package init(_ address: String, others: [String] = []) {
        if address.hasPrefix("[") || address.contains("|"),
            address.split(separator: "|").contains(where: { Self.isAddress(Self.bare(Part.withoutOptions($0))) })
        {
            let parts = address.split(separator: "|", omittingEmptySubsequences: false)
            let shown = parts.enumerated().map { Part($0.element, isFirst: $0.offset == 0) }
            description = shown.map(\.shown).joined(separator: "|")
            secrets = Self.sorted(others + shown.flatMap(\.secrets))
            return
        }
        var hidden = others
        let (scheme, before, behind) = Self.network(address[...])
        // Behind something else, such as a quote, or the options of FFmpeg's `tee:`.
        if scheme == nil, let start = Self.startOfAddress(address[...]), start > address.startIndex {
            let inner = Self.bare(address[start...])
            let shown = ShownAddress(String(inner))
            description = Self.before(address[..<start], &hidden) + shown.description + address[inner.endIndex...]
            secrets = Self.sorted(hidden + shown.secrets)
            return
        }
        var (result, rest) = (String(before), behind)
        if let end = Self.endOfUser(rest), end.at > rest.startIndex {
            let user = rest[..<end.at]
            hidden.append(String(user))
            for mark in [":", "%3A", "%3a"] {
                guard let colon = user.firstRange(of: mark) else { continue }
                hidden.append(String(user[colon.upperBound...]))
            }
            result += "***" + rest[end.at..<end.next]
            rest = rest[end.next...]
        } else if let scheme, scheme != "file", let password = Self.endlessPassword(rest) {
            // What tells its end has been taken for something else.
            hidden.append(String(rest[password]))
            result += rest[..<password.lowerBound] + "***"
            rest = rest[password.upperBound...]
        }
        guard let scheme else {
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

    /// What stands before an address, without the options in it.
    private static func before(_ text: Substring, _ hidden: inout [String]) -> String {
        guard let open = text.firstIndex(of: "["), let close = text.lastIndex(of: "]"), open < close else {
            let shown = ShownAddress(String(text))
            hidden += shown.secrets
            return shown.description
        }
        hidden.append(String(text[text.index(after: open)..<close]))
        return "\(text[...open])***\(text[close...])"
    }

    /// Without the blanks, quotes and backslashes around it: FFmpeg takes them away.
    private static func bare(_ text: Substring) -> Substring {
        let marks: Set<Character> = [" ", "\t", "\r", "\n", "'", "\"", "\\"]
        var text = text.drop { marks.contains($0) }
        while let last = text.last, marks.contains(last) { text.removeLast() }
        return text
    }

    /// Whether a text begins as an address of a network does.
    private static func isAddress(_ text: Substring) -> Bool { network(text).scheme != nil }

    /// The protocol that reaches the network, behind others that it may be wrapped in (`async:`, `crypto+`, `subfile,,:`).
    /// - Returns: its name in small letters, nil for what is no such address; all up to the host; and what follows
    private static func network(_ text: Substring) -> (scheme: String?, before: Substring, rest: Substring) {
        var rest = text
        while let (scheme, behind) = leadingScheme(rest) {
            let name = scheme.lowercased().split(whereSeparator: { "+,".contains($0) }).last.map(String.init) ?? ""
            if behind.hasPrefix("//") || networks.contains(name) {
                // One that is wrapped in another, as in `cache://rtmp://host`.
                let host = behind.drop { $0 == "/" }
                if let inner = leadingScheme(host), inner.rest.hasPrefix("//") {
                    rest = host
                    continue
                }
                let slashes = behind.prefix(2).prefix { $0 == "/" }.endIndex
                return (name, text[..<slashes], behind[slashes...])
            }
            rest = behind
        }
        return (nil, text[..<text.startIndex], text)
    }

    private static func leadingScheme(_ text: Substring) -> (scheme: Substring, rest: Substring)? {
        let scheme = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.,_=".contains($0)) }
        guard let first = scheme.first, first.isLetter, text[scheme.endIndex...].hasPrefix(":") else { return nil }
        return (scheme, text[text.index(after: scheme.endIndex)...])
    }

    /// One of several addresses, as FFmpeg's `tee` takes them: `[f=flv:key=value]rtmp://host/live/key`.
    private struct Part {
        let shown: String
        let secrets: [String]

        static func withoutOptions(_ text: Substring) -> Substring {
            guard text.hasPrefix("["), let end = text.firstIndex(of: "]") else { return text }
            return text[text.index(after: end)...]
        }

        init(_ text: Substring, isFirst: Bool) {
            let rest = Self.withoutOptions(text)
            var (options, hidden) = ("", [String]())
            if rest.startIndex > text.startIndex {
                let inner = text[text.index(after: text.startIndex)..<text.index(before: rest.startIndex)]
                // The container's name is harmless.
                let isName = inner.hasPrefix("f=") && !inner.contains(":")
                options = isName ? "[\(inner)]" : "[***]"
                if !isName { hidden.append(String(inner)) }
            }
            let bare = ShownAddress.bare(rest)
            // Headers that belong to the address before: `|User-Agent=x&Cookie=y`. An address may be in them.
            let name = bare.prefix { $0 != ":" }
            if !isFirst, name.contains("=") || bare.contains("=") && !ShownAddress.isAddress(bare) {
                (shown, secrets) = (options + "***", hidden + [String(rest)])
                return
            }
            let address = ShownAddress(String(bare))
            let (before, behind) = (rest[..<bare.startIndex], rest[bare.endIndex...])
            (shown, secrets) = (options + before + address.description + behind, hidden + address.secrets)
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

    /// Whether a network's address is in a text.
    package static func isIn(_ text: String) -> Bool { startOfAddress(text[...]) != nil }

    /// A word of a command line as it may be shown. An address in it goes on to its end, whatever characters it has.
    package static func redacting(word: String) -> String {
        guard let start = startOfAddress(word[...]) else { return word }
        // Options in brackets may be secret, too.
        if word[..<start].contains("[") || isAddress(word[...]) { return ShownAddress(word).description }
        return word[..<start] + ShownAddress(String(word[start...])).description
    }

    /// A text with each address in it as it may be shown.
    package static func redacting(_ text: String) -> String {
        guard text.contains(":") else { return text }
        var result = ""
        var rest = text[...]
        while let start = startOfAddress(rest) {
            var end = endOfAddress(rest[start...])
            // The sentence's own, not the address's.
            while end > start, ":,.;".contains(rest[rest.index(before: end)]) { end = rest.index(before: end) }
            // On, whatever it was.
            if end == start { end = rest.index(after: start) }
            result += rest[..<start]
            result += ShownAddress(String(rest[start..<end])).description
            rest = rest[end...]
        }
        return result + rest
    }

    /// Where an address in a sentence ends. A host in brackets is a part of it.
    private static func endOfAddress(_ text: Substring) -> Substring.Index {
        var open = 0
        for (index, character) in zip(text.indices, text) {
            switch character {
            case "[": open += 1
            case "]" where open > 0: open -= 1
            case _ where character.isWhitespace || "'\"<>)]".contains(character): return index
            default: break
            }
        }
        return text.endIndex
    }

    /// Where the first address begins that needs a look: after `://`, or a network's protocol, at the first letter before it.
    private static func startOfAddress(_ text: Substring) -> Substring.Index? {
        var from = text.startIndex
        while let colon = text[from...].firstIndex(of: ":") {
            let behind = text[text.index(after: colon)...]
            let word = text[..<colon].reversed().prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
            let start = text.index(colon, offsetBy: -word.count)
            if behind.hasPrefix("//") { return start }
            if networks.contains(text[start..<colon].lowercased()), behind.first?.isWhitespace == false { return start }
            from = text.index(after: colon)
        }
        return nil
    }

    /// Where the `@` behind a user's name and password is, and what follows it. A password may hold any character, even `/`,
    /// `?` and `@`. One that is written `%40` is taken for it where there is no other.
    private static func endOfUser(_ rest: Substring) -> (at: Substring.Index, next: Substring.Index)? {
        func last(_ text: Substring) -> (at: Substring.Index, next: Substring.Index)? {
            if let at = text.lastIndex(of: "@") { return (at, text.index(after: at)) }
            return text.ranges(of: "%40").last.map { ($0.lowerBound, $0.upperBound) }
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let end = last(authority) { return end }
        // Before the slash stands no host and port, so the password goes on behind it.
        guard endlessPassword(rest) != nil else { return nil }
        return last(rest)
    }

    /// What stands where a port is to be, and is none.
    private static func endlessPassword(_ rest: Substring) -> Range<Substring.Index>? {
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.hasPrefix("["), let colon = authority.firstIndex(of: ":") else { return nil }
        let port = authority[authority.index(after: colon)...].prefix { !",;&".contains($0) }
        guard port.contains(where: { !$0.isASCII || !$0.isNumber }) else { return nil }
        return port.startIndex..<port.endIndex
    }

    private static func path(_ path: Substring, _ scheme: String, _ hidden: inout [String]) -> String {
        if scheme.contains("rtmp") {
            var slashes = path.indices.filter { path[$0] == "/" }[...]
            if slashes.popFirst() != nil, let second = slashes.first {
                let key = path[path.index(after: second)...]
                guard !key.isEmpty else { return String(path) }
                hidden.append(String(key))
                return path[...second] + "***"
            }
        }
        // Parameters of a path stand behind a semicolon.
        guard let mark = path.firstIndex(of: ";") else { return String(path) }
        return path[...mark] + parameters(path[path.index(after: mark)...], in: "/;", &hidden)
    }

    private static func tail(_ tail: Substring, _ hidden: inout [String]) -> String {
        guard let mark = tail.first else { return "" }
        let text = tail.dropFirst()
        guard mark == "?" else {
            hidden.append(String(text))
            return text.isEmpty ? "" : "\(mark)***"
        }
        let end = text.firstIndex { $0 == "#" || $0 == " " } ?? text.endIndex
        return "?" + parameters(text[..<end], in: "&;", &hidden) + Self.tail(text[end...], &hidden)
    }

    /// Parameters and what stands between them, with the values of harmless ones.
    private static func parameters(_ text: Substring, in marks: String, _ hidden: inout [String]) -> String {
        var (result, rest) = ("", text)
        while true {
            let parameter = rest.prefix { !marks.contains($0) }
            result += shown(parameter, isValue: marks.contains("&"), &hidden)
            guard let mark = rest[parameter.endIndex...].first else { return result }
            result.append(mark)
            rest = rest[rest.index(after: parameter.endIndex)...]
        }
    }

    /// - Parameter isValue: whether a word without a name is a value
    private static func shown(_ parameter: Substring, isValue: Bool, _ hidden: inout [String]) -> String {
        let equals = parameter.firstIndex(of: "=")
        guard let equals else {
            guard isValue, !parameter.isEmpty, !harmless.contains(decoded(String(parameter)).lowercased()) else {
                return String(parameter)
            }
            hidden.append(String(parameter))
            return "***"
        }
        let value = parameter[parameter.index(after: equals)...]
        let isPlain = value.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".:_-[]".contains($0)) }
        guard !value.isEmpty, !isPlain || !harmless.contains(decoded(String(parameter[..<equals])).lowercased()) else {
            return String(parameter)
        }
        hidden.append(String(value))
        return parameter[...equals] + "***"
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
