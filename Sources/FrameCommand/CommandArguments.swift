internal import FrameShare
internal import Glibc

/// The words of the command line, as they were given: a file's name may be no UTF-8.
package enum CommandArguments {
    /// Without the command's own name. Read once, before ``hideSecrets()``.
    package static let texts: [String] = words.dropFirst().map { PathText.text($0) }

    private static var words: [UnsafeMutableRawBufferPointer] {
        // The C library's own memory, which stays: each word ends with a 0.
        (0..<Int(CommandLine.argc)).compactMap { index in
            CommandLine.unsafeArgv[index].map { UnsafeMutableRawBufferPointer(start: $0, count: strlen($0)) }
        }
    }

    /// Takes what may be secret in addresses out of what `ps` shows of this process. What is parsed has copies.
    package static func hideSecrets() {
        for word in words {
            let text = PathText.text(word)
            guard text.contains(":") || text.contains("=") else { continue }
            let shown = PathText.cString(hidden(text)).dropLast().map { UInt8(bitPattern: $0) }
            guard !shown.elementsEqual(word) else { continue }
            // In place: no longer than it was, and the rest is zeros.
            for index in word.indices { word[index] = index < shown.count ? shown[index] : 0 }
        }
    }

    /// A message without what is hidden in the words of the command line that it repeats.
    package static func redacting(_ message: String) -> String {
        var message = message
        for word in texts {
            let shown = hidden(word)
            if shown != word { message.replace(word, with: shown) }
        }
        return ShownAddress.redacting(message)
    }

    /// What the names of options have whose values let somebody in.
    private static let secretNames = [
        "pass", "secret", "token", "auth", "headers", "cookie", "streamid", "signature", "_key", "playpath", "srtp_",
    ]

    /// A word as it may be shown.
    package static func hidden(_ text: String) -> String {
        let parts = text.split(separator: "=", maxSplits: 2, omittingEmptySubsequences: false)
        // `passphrase=x`, and `--option=passphrase=x`.
        for count in 1..<max(1, parts.count) {
            let name = parts[count - 1].lowercased()
            // An address has names of its own.
            if ShownAddress.isIn(name) { break }
            guard secretNames.contains(where: { name.contains($0) }) else { continue }
            return parts[..<count].joined(separator: "=") + "=***"
        }
        return ShownAddress.redacting(word: text)
    }
}
