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
    let names: [String]
    let token: String?

    static let cookie = "frameshare_token"

    func check(_ request: Request) -> Verdict {
        guard let authority = request.head.authority, let name = Self.name(of: authority),
            isOurs(name)
        else {
            return .refused(.forbidden, "this server is not known by that name; give it as --host-name")
        }
        let changes = request.method != .get && request.method != .head
        if changes {
            if let origin = request.headers[.origin], Self.name(ofOrigin: origin) != authority.lowercased() {
                return .refused(.forbidden, "a page of another origin may not ask this")
            }
            if let site = request.headers[Self.fetchSite], site != "same-origin", site != "none" {
                return .refused(.forbidden, "a page of another origin may not ask this")
            }
        }
        guard let token else { return .allowed }
        if let given = given(request), Self.isEqual(given, token) { return .allowed }
        if !changes, let given = request.uri.queryParameters["token"], Self.isEqual(String(given), token) {
            return .allowedByAddress
        }
        return .refused(.unauthorized, "a token is needed: as ?token=, as a password, or as a bearer token")
    }

    private static let fetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .accept

    // MARK: the token

    /// From a cookie, a bearer token or a password.
    private func given(_ request: Request) -> String? {
        for cookies in request.headers[values: .cookie] {
            for pair in cookies.split(separator: ";") {
                let pair = pair.drop { $0 == " " }
                if pair.hasPrefix(Self.cookie + "=") { return String(pair.dropFirst(Self.cookie.utf8.count + 1)) }
            }
        }
        guard let field = request.headers[.authorization] else { return nil }
        if field.hasPrefix("Bearer ") { return String(field.dropFirst(7)) }
        guard field.hasPrefix("Basic "), let pair = Self.decodeBase64(String(field.dropFirst(6))) else { return nil }
        let text = String(decoding: pair, as: UTF8.self)
        return text.firstIndex(of: ":").map { String(text[text.index(after: $0)...]) }
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
            || names.contains { $0.lowercased() == name }
    }

    /// A host's name in lower case, without its port.
    static func name(of authority: String) -> String? {
        let text = authority.lowercased()
        guard text.utf8.count <= 255, !text.isEmpty else { return nil }
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            return String(text[text.index(after: text.startIndex)..<end])
        }
        let name = text.prefix { $0 != ":" }
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
