internal import Glibc

/// Names of files that are no UTF-8, carried in a `String`.
///
/// A path of Linux is bytes. A byte that is part of no UTF-8 character becomes one of 128 private characters, U+F780 to
/// U+F7FF, and comes back from it when the path is used. A name that holds such a character itself has its three bytes
/// treated so too: every name comes back as it was given.
package enum PathText {
    private static func scalar(_ byte: UInt8) -> Unicode.Scalar { Unicode.Scalar(0xF700 + UInt32(byte)) ?? "?" }

    private static func byte(_ scalar: Unicode.Scalar) -> UInt8? {
        (0xF780...0xF7FF).contains(scalar.value) ? UInt8(scalar.value - 0xF700) : nil
    }

    /// The text of a name.
    package static func text(_ bytes: some Collection<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            // The longest character that the bytes begin with: one to four of them.
            let length = (1...min(4, rest.count)).first { String(validating: rest.prefix($0), as: UTF8.self) != nil }
            if let length, let character = String(validating: rest.prefix(length), as: UTF8.self)?.unicodeScalars.first,
                byte(character) == nil
            {
                text.append(character)
                rest = rest.dropFirst(length)
            } else {
                let count = length ?? 1
                for byte in rest.prefix(count) { text.append(scalar(byte)) }
                rest = rest.dropFirst(count)
            }
        }
        return String(text)
    }

    /// The text of a name that ends with a 0.
    package static func text(cString name: UnsafePointer<CChar>) -> String {
        text(UnsafeRawBufferPointer(start: name, count: strlen(name)))
    }

    /// The name's bytes, with a 0 at their end: what the system's functions take.
    package static func cString(_ text: String) -> [CChar] {
        var bytes: [CChar] = []
        for scalar in text.unicodeScalars {
            if let byte = byte(scalar) {
                bytes.append(CChar(bitPattern: byte))
            } else {
                bytes += UTF8.encode(scalar).map { $0.map(CChar.init(bitPattern:)) } ?? []
            }
        }
        return bytes + [0]
    }

    /// For people: such a byte as `\xE9`.
    package static func shown(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { byte($0) != nil }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if let byte = byte(scalar) {
                result += "\\x" + String(byte, radix: 16, uppercase: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
