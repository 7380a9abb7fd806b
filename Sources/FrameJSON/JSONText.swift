/// A value of JSON (RFC 8259) that was read: a side-car's line, a request's body. Its bytes may be hostile.
package enum JSONText: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONText])
    case object([String: JSONText])

    /// Reads one value; nil for anything else, for what is nested deeper than eight times, and for numbers that no `Double`
    /// holds.
    package init?(_ text: some Sequence<UInt8>) {
        var parser = Parser(bytes: Array(text))
        guard let value = parser.value(depth: 0), parser.isAtEnd else { return nil }
        self = value
    }

    private struct Parser {
        let bytes: [UInt8]
        var at = 0

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return at == bytes.count
            }
        }

        mutating func skipSpace() {
            while at < bytes.count, [32, 9, 10, 13].contains(bytes[at]) { at += 1 }
        }

        mutating func take(_ byte: Character) -> Bool {
            skipSpace()
            guard at < bytes.count, bytes[at] == byte.asciiValue else { return false }
            at += 1
            return true
        }

        mutating func value(depth: Int) -> JSONText? {
            guard depth < 8 else { return nil }
            skipSpace()
            guard at < bytes.count else { return nil }
            switch bytes[at] {
            case UInt8(ascii: "{"): return object(depth)
            case UInt8(ascii: "["): return array(depth)
            case UInt8(ascii: "\""): return string().map(JSONText.string)
            default: return word()
            }
        }

        mutating func object(_ depth: Int) -> JSONText? {
            guard take("{") else { return nil }
            var members: [String: JSONText] = [:]
            if take("}") { return .object(members) }
            repeat {
                skipSpace()
                guard let key = string(), take(":"), let value = value(depth: depth + 1) else { return nil }
                members[key] = value
            } while take(",")
            return take("}") ? .object(members) : nil
        }

        mutating func array(_ depth: Int) -> JSONText? {
            guard take("[") else { return nil }
            var values: [JSONText] = []
            if take("]") { return .array(values) }
            repeat {
                guard let value = value(depth: depth + 1) else { return nil }
                values.append(value)
            } while take(",")
            return take("]") ? .array(values) : nil
        }

        mutating func word() -> JSONText? {
            let start = at
            while at < bytes.count, !Array(",]}: \t\r\n".utf8).contains(bytes[at]) { at += 1 }
            let text = String(decoding: bytes[start..<at], as: UTF8.self)
            switch text {
            case "null": return .null
            case "true": return .bool(true)
            case "false": return .bool(false)
            default: return Self.number(bytes[start..<at])
            }
        }

        /// Swift's own reading takes more than JSON has: `nan`, `inf`, `+5`, `0x10`, `05`, `1.`.
        static func number(_ bytes: ArraySlice<UInt8>) -> JSONText? {
            var rest = bytes
            func digits() -> Int {
                let count = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
                rest = rest.dropFirst(count)
                return count
            }
            func skip(_ characters: String) -> Bool {
                guard let first = rest.first, characters.utf8.contains(first) else { return false }
                rest = rest.dropFirst()
                return true
            }
            _ = skip("-")
            let startsWithZero = rest.first == UInt8(ascii: "0")
            let whole = digits()
            guard whole == 1 || whole > 1 && !startsWithZero else { return nil }
            var isInteger = true
            if skip(".") {
                isInteger = false
                guard digits() > 0 else { return nil }
            }
            if skip("eE") {
                isInteger = false
                _ = skip("+-")
                guard digits() > 0 else { return nil }
            }
            guard rest.isEmpty else { return nil }
            let text = String(decoding: bytes, as: UTF8.self)
            if isInteger, let integer = Int64(text) { return .integer(integer) }
            return Double(text).flatMap { $0.isFinite ? .number($0) : nil }
        }

        mutating func string() -> String? {
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { return nil }
            at += 1
            var result: [UInt8] = []
            while at < bytes.count {
                let byte = bytes[at]
                at += 1
                if byte == UInt8(ascii: "\"") { return String(validating: result, as: UTF8.self) }
                guard byte == UInt8(ascii: "\\") else {
                    guard byte >= 32 else { return nil }
                    result.append(byte)
                    continue
                }
                guard let escaped = escape() else { return nil }
                result += escaped
            }
            return nil
        }

        mutating func escape() -> [UInt8]? {
            guard at < bytes.count else { return nil }
            at += 1
            switch bytes[at - 1] {
            case UInt8(ascii: "n"): return [10]
            case UInt8(ascii: "t"): return [9]
            case UInt8(ascii: "r"): return [13]
            case UInt8(ascii: "b"): return [8]
            case UInt8(ascii: "f"): return [12]
            case UInt8(ascii: "u"):
                guard let scalar = scalar() else { return nil }
                return Array(String(scalar).utf8)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [bytes[at - 1]]
            default: return nil
            }
        }

        /// After `\u`: what is beyond U+FFFF is written as two units of UTF-16, each escaped.
        mutating func scalar() -> Unicode.Scalar? {
            guard let first = codeUnit() else { return nil }
            guard UTF16.isLeadSurrogate(first) else { return Unicode.Scalar(first) }
            guard at + 2 <= bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") else {
                return nil
            }
            at += 2
            guard let second = codeUnit(), UTF16.isTrailSurrogate(second) else { return nil }
            return UTF16.decode(UTF16.EncodedScalar([first, second]))
        }

        mutating func codeUnit() -> UInt16? {
            guard at + 4 <= bytes.count, !"+-".utf8.contains(bytes[at]),
                let code = UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
            else { return nil }
            at += 4
            return code
        }
    }
}
