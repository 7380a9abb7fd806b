internal import CLinuxMedia
internal import Glibc

/// A source by which a program asks for frames in place of a channel's name: a camera's device, `libcamera`, or a file.
///
/// Each source has one name in full, so that all programs that mean the same camera find the same owner.
package struct SourceName: Sendable, Equatable {
    /// In full: an absolute path without links, `libcamera`, or `libcamera:ID`.
    package let text: String

    /// Reads what a program gave.
    /// - Parameter text: a path with a `/` in it, `file:` and a path, `libcamera`, or `libcamera:` and an id
    /// - Returns: nil where it can only be a channel's name
    package init?(_ text: String) throws(OwnerError) {
        if text == "libcamera" || text.hasPrefix("libcamera:") && text.utf8.count > 10 {
            guard !text.utf8.contains(where: { $0 < 32 || $0 == 127 }) else {
                throw .badSource(text, "it has control characters")
            }
            self.text = text
            return
        }
        let path: String
        if text.hasPrefix("file:") {
            path = String(text.dropFirst(5))
        } else {
            guard text.contains("/") else { return nil }
            path = text
        }
        guard !path.isEmpty, path.utf8.count < Int(PATH_MAX), !path.utf8.contains(0) else {
            throw .badSource(text, "it is no path")
        }
        guard let resolved = realpath(PathText.cString(path), nil) else {
            throw .badSource(text, String(cString: strerror(errno)))
        }
        defer { free(resolved) }
        self.text = PathText.text(cString: resolved)
    }

    /// The name of the channel that its owner publishes: the same for all who mean this source.
    package var ownedChannel: String {
        let last = text.split(separator: "/").last.map(String.init) ?? text
        let plain = last.unicodeScalars.map { scalar -> Character in
            let isLetter = scalar.isASCII && scalar.properties.isAlphabetic
            return isLetter || ("0"..."9").contains(scalar) ? Character(scalar) : "-"
        }
        return "owned-\(String(plain.prefix(40)))-\(Self.hash(text))"
    }

    /// FNV-1a, 64 bits. It need not keep anybody out: who may publish is the folder's affair.
    private static func hash(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Whether a publisher's words for its source mean this one: `text` itself, or at the end in parentheses.
    package func isMeant(by sourceName: String) -> Bool {
        if sourceName == text { return true }
        guard sourceName.hasSuffix(")"), sourceName.contains("(") else { return false }
        let inside = String(sourceName.split(separator: "(").last?.dropLast() ?? "")
        if text.hasPrefix("libcamera") {
            // "(libcamera ID)"; without an id any of them will do.
            guard inside.hasPrefix("libcamera ") else { return false }
            return text == "libcamera" || inside.dropFirst(10) == text.dropFirst(10)
        }
        if inside == text { return true }
        guard inside.hasPrefix("/"), let resolved = realpath(PathText.cString(inside), nil) else { return false }
        defer { free(resolved) }
        return PathText.text(cString: resolved) == text
    }
}

/// Why a source could not be opened.
public enum OwnerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// This names no source.
    case badSource(String, String)
    /// The command `frameshare`, which would own the source, is not there.
    case noCommand(tried: [String])
    /// It could not be started.
    case notStarted(command: String, String)
    /// It was started, and could not publish the source.
    case failed(source: String, String)
    /// Programs with more rights than their user don't start other programs.
    case privileged
    /// The owner of another user's is being started, or its lock can't be had.
    case lock(path: String, String)
    /// It took too long.
    case timedOut(source: String)
    /// The channel could not be subscribed to.
    case channel(ChannelError)

    public var description: String {
        switch self {
        case .badSource(let text, let reason): "'\(text.displayText)' is no source: \(reason)"
        case .noCommand(let tried):
            "the command 'frameshare', which is to own the source, was not found (looked at "
                + "\(tried.map(PathText.shown).joined(separator: ", "))). Install it, or set FRAMESHARE_COMMAND to its path"
        case .notStarted(let command, let reason): "\(PathText.shown(command)) can't be started: \(reason)"
        case .failed(let source, let reason): "\(source.displayText) can't be shared: \(reason)"
        case .privileged:
            "a program with more rights than its user starts no owner: publish the source yourself ('frameshare publish')"
        case .lock(let path, let reason): "the lock \(PathText.shown(path)) can't be had: \(reason)"
        case .timedOut(let source): "\(source.displayText): no owner was there in time"
        case .channel(let error): "\(error)"
        }
    }
}
