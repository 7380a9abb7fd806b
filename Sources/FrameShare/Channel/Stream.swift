/// One image of a frame: `main`, `lores`, `raw`, or any name, with how it lies in memory.
public struct Stream: Sendable, Hashable {
    /// 1 to 32 characters of letters, digits, `.`, `_` and `-`.
    public var name: String
    /// Size, format and planes, as the producer says.
    public var layout: ImageLayout

    /// Makes a stream. `Publisher` checks name and layout.
    public init(name: String, layout: ImageLayout) {
        self.name = name
        self.layout = layout
    }

    /// The most streams of one channel.
    public static let maximumCount = 8

    static func isValidName(_ name: String) -> Bool {
        let bytes = name.utf8
        return (1...32).contains(bytes.count) && bytes.allSatisfy(ChannelName.isAllowed)
            && bytes.first != UInt8(ascii: ".")
    }
}

/// The rules for a channel's name, which is part of a path. A group's name follows them too.
package enum ChannelName {
    static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    package static func check(_ name: String) throws(ChannelError) {
        guard isValid(name) else { throw .badChannelName(name) }
    }

    static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        return (1...64).contains(bytes.count) && bytes.allSatisfy(isAllowed) && bytes.first != UInt8(ascii: ".")
    }
}
