/// A control of a channel's source: exposure, gain, a test pattern. Values are text in the source's own spelling, as
/// `frameshare cameras` shows them.
public struct CameraControl: Sendable, Hashable {
    /// What kind of value it takes.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// `true` or `false`.
        case boolean
        case integer
        /// With a fraction: `1.5`.
        case number
        case text
        /// One of ``CameraControl/items``, by its value or its name.
        case menu
        /// A set of bits.
        case bitmask
        /// Setting it does something; it has no value.
        case button
        /// `x,y/WIDTHxHEIGHT`, in pixels.
        case rectangle
        /// `WIDTHxHEIGHT`, in pixels.
        case size
        /// Can't be set from here.
        case other
    }

    /// One entry of a menu.
    public struct Item: Sendable, Hashable {
        /// What chooses it.
        public var value: String
        /// The source's word for it.
        public var name: String

        public init(value: String, name: String) { (self.value, self.name) = (value, name) }
    }

    /// What it is set by: "ExposureTime" of libcamera, "exposure_time_absolute" of V4L2.
    public var name: String
    /// The source's own words, where they are others: "Exposure Time, Absolute".
    public var label: String
    public var kind: Kind
    /// The least value; empty where there is none.
    public var minimum: String
    /// The largest value; empty where there is none.
    public var maximum: String
    /// The value that it has where nobody set it; empty if unknown.
    public var standard: String
    /// What it is set to; nil if the source doesn't tell, as libcamera's don't before they were set.
    public var value: String?
    /// A menu's entries.
    public var items: [Item]
    /// Can't be set.
    public var isReadOnly: Bool
    /// Has no effect now, usually since an automatic is on.
    public var isInactive: Bool

    public init(
        name: String,
        label: String = "",
        kind: Kind,
        minimum: String = "",
        maximum: String = "",
        standard: String = "",
        value: String? = nil,
        items: [Item] = [],
        isReadOnly: Bool = false,
        isInactive: Bool = false
    ) {
        (self.name, self.label, self.kind) = (name, label, kind)
        (self.minimum, self.maximum, self.standard, self.value) = (minimum, maximum, standard, value)
        (self.items, self.isReadOnly, self.isInactive) = (items, isReadOnly, isInactive)
    }
}

/// What a control is to be set to.
public struct ControlSetting: Sendable, Hashable {
    public var name: String
    /// As the source spells it: "8000", "true", "1.5,2.0".
    public var value: String

    public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

/// What became of a setting.
public struct ControlOutcome: Sendable, Hashable {
    public var name: String
    /// The value that the control has now, which a driver may have rounded; or why it could not be set.
    public var result: Result<String, ControlError>

    public init(name: String, result: Result<String, ControlError>) { (self.name, self.result) = (name, result) }
}

/// Why a source's control was not set, or its controls could not be listed.
public enum ControlError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The source refused, in its own words: no such control, not a value of its, in use.
    case refused(String)
    /// The source is not there now: a camera that is unplugged.
    case sourceGone

    public var description: String {
        switch self {
        case .refused(let reason): reason
        case .sourceGone: "the source is not there now; is the camera unplugged?"
        }
    }
}

/// Who may set the controls of a channel's source, of those who may connect at all. Everyone of them may look.
public enum ControlAccess: String, Sendable, Hashable, CaseIterable {
    case nobody
    /// The publisher's own user, and root.
    case owner
    case everyone
}
