#if View
internal import HTTPTypes
internal import HummingbirdCore

/// Who may ask what: nothing that comes from outside is trusted.
struct RequestGuard: Sendable {
    /// What to answer, where it may not.
    enum Verdict: Sendable, Equatable {
        case allowed
        /// The token came in the address: it is kept in a cookie from now on.
        case allowedByAddress
        case refused(HTTPResponse.Status, String)
    }

    let host: String
    let names: MachineNames
    let token: String?

    /// The name of the cookie with the token. Cookies know no ports: each server of a machine has a name of its own.
    static func cookie(port: Int) -> String { "frameshare_token_\(port)" }

    /// - Parameter port: where this server listens
    func check(_ request: Request, port: Int) -> Verdict {
        for name in Self.single where request.headers[values: name].count > 1 {
            return .refused(.badRequest, "\(name) comes more than once: which of them counts?")
        }
        // The first is the authority.
        if let name = Self.hostHeader, request.headers.contains(name) {
            return .refused(.badRequest, "Host comes more than once: which of them counts?")
        }
        guard let authority = request.head.authority, let name = Self.name(of: authority),
            isOurs(name)
        else {
            return .refused(.forbidden, "this server is not known by that name; give it as --host-name")
        }
        let changes = request.method != .get && request.method != .head
        if changes, !isFromOurPage(request, authority) {
            return .refused(.forbidden, "a page of another origin may not ask this")
        }
        guard let token else { return .allowed }
        // Any of them will do: browsers send a cookie of an earlier server along with the right password.
        if given(request, cookie: Self.cookie(port: port)).contains(where: { Self.isEqual($0, token) }) {
            return .allowed
        }
        if !changes, let given = request.uri.queryParameters["token"], Self.isEqual(String(given), token) {
            return .allowedByAddress
        }
        return .refused(.unauthorized, "a token is needed: as ?token=, as a password, or as a bearer token")
    }

    private static let fetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .accept
    private static let hostHeader = HTTPField.Name("Host")
    /// What decides something, and so may come once only: a proxy before this server could believe the other one.
    private static let single: [HTTPField.Name] = [
        .authorization, .contentLength, .contentType, .cookie, .origin, .transferEncoding, fetchSite,
    ]

    /// A browser that says how the page stands to this server is right, also where a proxy has another name than this
    /// server; older ones tell the page's origin. What says neither is no browser's page.
    private func isFromOurPage(_ request: Request, _ authority: String) -> Bool {
        if let site = request.headers[Self.fetchSite] { return site == "same-origin" || site == "none" }
        guard let origin = request.headers[.origin] else { return true }
        return Self.name(ofOrigin: origin) == authority.lowercased()
    }

    // MARK: the token

    /// All that were given: in cookies, as a bearer token or a password.
    private func given(_ request: Request, cookie: String) -> [String] {
        var given: [String] = []
        for pair in (request.headers[.cookie] ?? "").split(separator: ";") {
            let pair = pair.drop { $0 == " " }
            if pair.hasPrefix(cookie + "=") { given.append(String(pair.dropFirst(cookie.utf8.count + 1))) }
        }
        // The scheme's name is the same in capitals (RFC 9110, 11.1).
        let field = (request.headers[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        guard field.count == 2 else { return given }
        switch field[0].lowercased() {
        case "bearer": given.append(String(field[1]))
        case "basic":
            guard let pair = Self.decodeBase64(String(field[1])) else { break }
            let text = String(decoding: pair, as: UTF8.self)
            if let colon = text.firstIndex(of: ":") { given.append(String(text[text.index(after: colon)...])) }
        default: break
        }
        return given
    }

    /// Takes the same time wherever they differ.
    static func isEqual(_ given: String, _ token: String) -> Bool {
        let (given, token) = (Array(given.utf8), Array(token.utf8))
        var difference = given.count ^ token.count
        for i in token.indices { difference |= Int(token[i] ^ (i < given.count ? given[i] : 0)) }
        return difference == 0
    }

    /// RFC 4648; nil for what is not base64.
    static func decodeBase64(_ text: String) -> [UInt8]? {
        var (bytes, bits, count): ([UInt8], UInt32, Int) = ([], 0, 0)
        for byte in text.utf8.prefix(4096) where byte != UInt8(ascii: "=") {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - 97 + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - 48 + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }

    // MARK: names

    /// DNS rebinding: a page's own name can be made to point here, so only names that are ours by nature are taken.
    private func isOurs(_ name: String) -> Bool {
        name == "localhost" || name.hasSuffix(".localhost") || Self.isAddress(name) || name == host.lowercased()
            || names.contain(name)
    }

    /// A host's name in lower case, without its port and the dot that ends a full name.
    static func name(of authority: String) -> String? {
        let text = authority.lowercased()
        guard text.utf8.count <= 255, !text.isEmpty else { return nil }
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            return String(text[text.index(after: text.startIndex)..<end])
        }
        var name = text.prefix { $0 != ":" }
        if name.hasSuffix(".") { name.removeLast() }
        return name.isEmpty ? nil : String(name)
    }

    private static func name(ofOrigin origin: String) -> String? {
        let text = origin.lowercased()
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            return String(text.dropFirst(scheme.count))
        }
        return nil
    }

    /// An IPv4 or IPv6 address in figures.
    static func isAddress(_ name: String) -> Bool {
        if name.contains(":") { return name.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." || $0 == "%" } }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}
#endif
