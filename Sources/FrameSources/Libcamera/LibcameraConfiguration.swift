public import FrameMemory
public import FrameShare
public import PixelFormats

/// Who makes the buffers that a camera fills.
public enum LibcameraMemory: Sendable, Hashable {
    /// libcamera, by the camera's driver. As many as its pipeline makes.
    case driver
    /// We: a DMA heap or a udmabuf, as many slots as wanted. Not for compressed formats.
    case imported(MemoryPreference)
}

/// What is wanted of a camera. libcamera gives what is nearest: ``LibcameraSetup`` says what.
public struct LibcameraConfiguration: Sendable, Hashable {
    /// What a stream is for; the camera's driver chooses by it where nothing else is asked.
    public enum Role: Int32, Sendable, Hashable {
        case viewfinder = 0
        case video = 1
        case still = 2
        /// The sensor's own pixels.
        case raw = 3
    }

    /// One image of each frame.
    public struct StreamRequest: Sendable, Hashable {
        public var name: String
        public var role: Role
        /// In pixels; nil: the role's.
        public var width: Int?
        public var height: Int?
        /// nil: the role's.
        public var format: PixelFormat?

        public init(
            _ name: String,
            _ role: Role,
            width: Int? = nil,
            height: Int? = nil,
            format: PixelFormat? = nil
        ) {
            (self.name, self.role, self.width, self.height, self.format) = (name, role, width, height, format)
        }
    }

    /// One to four. The Pi's cameras give two processed ones and a raw one.
    public var streams: [StreamRequest]
    /// How many buffers each stream has. The camera may need more, or make fewer.
    public var slots: Int
    /// Who makes the buffers.
    public var memory = LibcameraMemory.driver
    /// As EXIF numbers it, 1 (upright) to 8; nil: as the camera is mounted.
    public var orientation: Int?
    /// Set before the first frame, by libcamera's names, from text: "8000", "true", "1.5,2.0", "0,0/1920x1080".
    public var controls: [ControlSetting] = []
    /// Whether anything other than what was asked is an error, ``LibcameraError/adjusted(id:_:)``.
    public var exact: Bool

    public init(
        streams: [StreamRequest] = [StreamRequest("main", .video)],
        slots: Int = 6,
        orientation: Int? = nil,
        exact: Bool = false
    ) {
        (self.streams, self.slots, self.orientation, self.exact) = (streams, slots, orientation, exact)
    }

    /// With settings that were made since, in the place of earlier ones of the same controls.
    func setting(_ live: [ControlSetting]) -> LibcameraConfiguration {
        var configuration = self
        configuration.controls.removeAll { old in live.contains { $0.name == old.name } }
        configuration.controls += live
        return configuration
    }
}

/// Something that the camera gives otherwise than asked.
public struct LibcameraAdjustment: Sendable, Hashable, CustomStringConvertible {
    public let stream: String
    /// "size", "format", "slots".
    public let what: String
    public let asked: String
    public let given: String

    /// "main: size 1000x700 became 960x720".
    public var description: String { "\(stream): \(what) \(asked) became \(given)" }
}

/// What a camera has been set to.
public struct LibcameraSetup: Sendable, Hashable {
    /// The images, in the order asked, as libcamera lays them out.
    public let layouts: [ImageLayout]
    /// How many buffers each stream has.
    public let slots: Int
    /// What differs from what was asked.
    public let adjustments: [LibcameraAdjustment]
    /// What else is worth knowing, for people.
    public let notes: [String]
}
