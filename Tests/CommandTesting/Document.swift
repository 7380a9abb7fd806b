public import Foundation

/// JSON that a command printed, looked into by path.
public struct Document {
    /// What was looked for and isn't there.
    public struct Missing: Error, CustomStringConvertible {
        public let description: String
    }

    public let value: Any

    public init(_ text: some StringProtocol) throws {
        value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: [.fragmentsAllowed])
    }

    private init(value: Any) { self.value = value }

    /// One document a line.
    public static func lines(_ text: String) throws -> [Document] {
        try text.split(separator: "\n").map { try Document($0) }
    }

    public subscript(key: String) -> Document {
        get throws {
            guard let found = (value as? [String: Any])?[key] else {
                throw Missing(description: "no \(key) in \(value)")
            }
            return Document(value: found)
        }
    }

    public subscript(index: Int) -> Document {
        get throws {
            guard let array = value as? [Any] else { throw Missing(description: "no array: \(value)") }
            guard array.indices.contains(index) else { throw Missing(description: "only \(array.count) in \(value)") }
            return Document(value: array[index])
        }
    }

    public var text: String { get throws { try typed("text") } }
    public var int: Int { get throws { try (typed("number") as NSNumber).intValue } }
    public var double: Double { get throws { try (typed("number") as NSNumber).doubleValue } }
    public var bool: Bool { get throws { try typed("truth value") } }
    public var elements: [Document] { get throws { try (typed("array") as [Any]).map(Document.init(value:)) } }
    public var keys: Set<String> { get throws { try Set((typed("object") as [String: Any]).keys) } }

    /// An object whose members can be compared.
    public var object: NSDictionary { get throws { try typed("object") } }

    private func typed<T>(_ what: String) throws -> T {
        guard let typed = value as? T else { throw Missing(description: "no \(what): \(value)") }
        return typed
    }
}
