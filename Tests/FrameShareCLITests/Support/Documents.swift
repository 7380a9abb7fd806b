import Foundation
import Testing

/// JSON that a command printed, looked into by path.
struct Document {
    let value: Any

    init(_ text: some StringProtocol) throws {
        value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: [.fragmentsAllowed])
    }

    private init(value: Any) { self.value = value }

    /// One document a line.
    static func lines(_ text: String) throws -> [Document] {
        try text.split(separator: "\n").map { try Document($0) }
    }

    subscript(key: String) -> Document {
        get throws { Document(value: try #require((value as? [String: Any])?[key], "no \(key) in \(value)")) }
    }

    subscript(index: Int) -> Document {
        get throws {
            let array = try #require(value as? [Any], "no array: \(value)")
            try #require(array.indices.contains(index), "only \(array.count) in \(value)")
            return Document(value: array[index])
        }
    }

    var text: String { get throws { try #require(value as? String) } }
    var int: Int { get throws { try #require(value as? NSNumber).intValue } }
    var bool: Bool { get throws { try #require(value as? Bool) } }
    var elements: [Document] { get throws { try #require(value as? [Any]).map(Document.init(value:)) } }
    var keys: Set<String> { get throws { try Set(#require(value as? [String: Any]).keys) } }
}
