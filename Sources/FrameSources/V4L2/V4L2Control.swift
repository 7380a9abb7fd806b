internal import CLinuxMedia

/// One of a device's controls: brightness, exposure, a test pattern.
public struct V4L2Control: Sendable, Hashable {
    /// What kind of value a control has.
    public enum Kind: Sendable, Hashable {
        case integer
        case boolean
        /// One of ``V4L2Control/items``, by its number, or by its name where that is no entry's number.
        case menu
        /// A set of bits.
        case bitmask
        /// Setting it does something; it has no value.
        case button
        case text
        /// An array or structure, which can't be set here.
        case compound
    }

    /// One entry of a menu. The numbers may have gaps.
    public struct Item: Sendable, Hashable {
        /// The value that chooses it.
        public let index: Int64
        /// The driver's text; of an integer menu the number that the entry stands for.
        public let text: String
    }

    /// `V4L2_CID_*`.
    public let id: UInt32
    /// The driver's name: "White Balance, Automatic".
    public let name: String
    /// The name in small letters and underscores, the same as `v4l2-ctl` has it: "white_balance_automatic".
    public let key: String
    public let kind: Kind
    /// The least and the largest value; of a text its length in bytes.
    public let range: ClosedRange<Int64>
    /// Values are `range.lowerBound` plus a multiple of this.
    public let step: Int64
    public let defaultValue: Int64
    /// A menu's entries.
    public let items: [Item]
    /// `V4L2_CTRL_FLAG_*`.
    public let flags: UInt32
    let isWide: Bool
    let elementSize: Int

    /// Can't be set.
    public var isReadOnly: Bool { flags & UInt32(V4L2_CTRL_FLAG_READ_ONLY) != 0 }
    /// Can't be read.
    public var isWriteOnly: Bool { flags & UInt32(V4L2_CTRL_FLAG_WRITE_ONLY) != 0 }
    /// Has no effect now, usually since an automatic is on.
    public var isInactive: Bool { flags & UInt32(V4L2_CTRL_FLAG_INACTIVE) != 0 }
    /// Can't be set while another program streams.
    public var isGrabbed: Bool { flags & UInt32(V4L2_CTRL_FLAG_GRABBED) != 0 }
    /// Changes by itself.
    public var isVolatile: Bool { flags & UInt32(V4L2_CTRL_FLAG_VOLATILE) != 0 }

    init(_ query: v4l2_query_ext_ctrl, items: [Item]) {
        id = query.id
        name = cString(query.name)
        key = Self.key(of: name)
        self.items = items
        flags = query.flags
        let type = v4l2_ctrl_type(rawValue: query.type)
        isWide = type == V4L2_CTRL_TYPE_INTEGER64
        elementSize = Int(query.elem_size)
        step = Int64(clamping: max(1, query.step))
        kind = query.nr_of_dims > 0 ? .compound : Self.kind(type)
        if kind == .bitmask {
            // The kernel hands out these unsigned 32-bit numbers without their sign's extension, or with it.
            let most = Int64(UInt32(truncatingIfNeeded: query.maximum))
            range = 0...most
            defaultValue = Int64(UInt32(truncatingIfNeeded: query.default_value))
        } else {
            range = query.minimum...max(query.minimum, query.maximum)
            defaultValue = query.default_value
        }
    }

    private static func kind(_ type: v4l2_ctrl_type) -> Kind {
        switch type {
        case V4L2_CTRL_TYPE_INTEGER, V4L2_CTRL_TYPE_INTEGER64: .integer
        case V4L2_CTRL_TYPE_BOOLEAN: .boolean
        case V4L2_CTRL_TYPE_MENU, V4L2_CTRL_TYPE_INTEGER_MENU: .menu
        case V4L2_CTRL_TYPE_BITMASK: .bitmask
        case V4L2_CTRL_TYPE_BUTTON: .button
        case V4L2_CTRL_TYPE_STRING: .text
        default: .compound
        }
    }

    /// A name as `v4l2-ctl` writes it: letters and digits in lower case, an underscore for anything between them.
    public static func key(of name: String) -> String {
        var key = ""
        var needsUnderscore = false
        for byte in name.utf8 {
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            let isLower = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            guard isUpper || isLower || isDigit else {
                needsUnderscore = !key.isEmpty
                continue
            }
            if needsUnderscore { key.append("_") }
            needsUnderscore = false
            key.unicodeScalars.append(Unicode.Scalar(isUpper ? byte + 32 : byte))
        }
        return key
    }

    /// What may be set, for people.
    public var allowedText: String {
        switch kind {
        case .integer: "\(range.lowerBound) to \(range.upperBound)\(step > 1 ? " in steps of \(step)" : "")"
        case .boolean: "true or false"
        case .menu: items.map { "\($0.index) (\($0.text))" }.joined(separator: ", ")
        case .bitmask: "bits of 0x\(String(range.upperBound, radix: 16))"
        case .button: "no value"
        case .text: "\(range.lowerBound) to \(range.upperBound) bytes of text"
        case .compound: "nothing that can be given here"
        }
    }

    /// The number that stands for a value, nil if the control can't have it.
    func number(for value: V4L2ControlValue) -> Int64? {
        switch (kind, value) {
        case (.button, _): return 0
        case (.boolean, .boolean(let isOn)): return isOn ? 1 : 0
        case (.boolean, .integer(let number)): return number == 0 || number == 1 ? number : nil
        case (.boolean, .text(let text)):
            switch text.lowercased() {
            case "true", "on", "yes", "1": return 1
            case "false", "off", "no", "0": return 0
            default: return nil
            }
        case (.menu, .integer(let index)): return items.contains { $0.index == index } ? index : nil
        case (.menu, .text(let text)):
            // The number first: it is what is shown, and an integer menu's entries are called by other numbers.
            if let index = Self.parse(text).flatMap({ number(for: .integer($0)) }) { return index }
            let item =
                items.first { $0.text == text }
                ?? items.first { Self.key(of: $0.text) == Self.key(of: text) && !Self.key(of: text).isEmpty }
            return item?.index
        case (.integer, .integer(let number)): return range.contains(number) ? number : nil
        case (.bitmask, .integer(let number)):
            return number >= 0 && number & ~range.upperBound == 0 ? number : nil
        case (.integer, .text(let text)), (.bitmask, .text(let text)):
            return Self.parse(text).flatMap { number(for: .integer($0)) }
        case (.text, _), (.compound, _), (.integer, .boolean), (.menu, .boolean), (.bitmask, .boolean): return nil
        }
    }

    private static func parse(_ text: String) -> Int64? {
        text.lowercased().hasPrefix("0x") ? Int64(text.dropFirst(2), radix: 16) : Int64(text)
    }
}

/// A control's value.
public enum V4L2ControlValue: Sendable, Hashable, CustomStringConvertible {
    /// A number; of a menu the item's ``V4L2Control/Item/index``.
    case integer(Int64)
    case boolean(Bool)
    /// A text control's text. Any other control reads it as what a person typed: a number, a menu's entry, "on".
    case text(String)

    /// As a person may type it, and is shown it: what a control is set to by it is what it was.
    public var text: String {
        switch self {
        case .integer(let number): "\(number)"
        case .boolean(let isOn): "\(isOn)"
        case .text(let text): text
        }
    }

    public var description: String {
        switch self {
        case .integer(let number): "\(number)"
        case .boolean(let isOn): "\(isOn)"
        case .text(let text): "'\(text)'"
        }
    }
}

extension V4L2ControlValue: ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByStringLiteral {
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(stringLiteral value: String) { self = .text(value) }
}
