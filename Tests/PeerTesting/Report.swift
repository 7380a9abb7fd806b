/// A line of words and `key=value` pairs.
package struct Report: CustomStringConvertible {
    package let description: String
    private let values: [Substring: Substring]

    package init(_ line: String) {
        description = line
        values = Dictionary(
            line.split(separator: " ").compactMap { word in
                word.firstIndex(of: "=").map { (word[..<$0], word[word.index(after: $0)...]) }
            },
            uniquingKeysWith: { first, _ in first }
        )
    }

    package subscript(key: String) -> Int {
        get throws {
            guard let text = values[key[...]], let number = Int(text) else {
                throw PeerFailure("no number '\(key)' in '\(description)'")
            }
            return number
        }
    }

    /// The second word.
    package var kind: String { description.split(separator: " ").dropFirst().first.map(String.init) ?? "" }

    /// A value that is no number.
    package func text(_ key: String) -> String? { values[key[...]].map(String.init) }

    /// The keys that begin so.
    package func keys(_ prefix: String) -> [String] {
        values.keys.filter { $0.hasPrefix(prefix) }.map(String.init).sorted()
    }
}
