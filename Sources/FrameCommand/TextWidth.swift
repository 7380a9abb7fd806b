internal import CLinuxMedia
internal import Glibc

/// How many columns text takes on a screen: letters of East Asia take two, marks on a letter none.
package enum TextWidth {
    /// The C library's own tables. Nil where it has no such locale: each letter then counts as one.
    /// Unsafe: a locale that is never changed nor freed may be used by all threads.
    nonisolated(unsafe) private static let locale = newlocale(1 << LC_CTYPE, "C.UTF-8", nil)

    package static func of(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return inLocale { text.unicodeScalars.reduce(0) { $0 + columns($1) } }
    }

    /// The text's beginning, as far as there is room, which it then takes. No letter is cut from its marks.
    package static func prefix(of text: String, columns room: inout Int) -> String {
        inLocale {
            var result = ""
            for character in text {
                let needed = character.unicodeScalars.reduce(0) { $0 + columns($1) }
                guard needed <= room else {
                    room = 0
                    break
                }
                result.append(character)
                room -= needed
            }
            return result
        }
    }

    private static func columns(_ scalar: Unicode.Scalar) -> Int {
        if scalar.isASCII || locale == nil { return 1 }
        let columns = fs_columns(scalar.value)
        return columns < 0 ? 1 : Int(columns)
    }

    private static func inLocale<T>(_ body: () -> T) -> T {
        guard let locale else { return body() }
        let before = uselocale(locale)
        defer { uselocale(before) }
        return body()
    }
}
