public import FrameMemory
public import PixelFormats

/// Who makes the buffers that a camera fills.
public enum V4L2Memory: Sendable, Hashable, CustomStringConvertible {
    /// The driver, which shares them as DMA buffers (`VIDIOC_EXPBUF`), read-only where it can.
    case driver
    /// We: a DMA heap or a udmabuf, which the driver imports (`V4L2_MEMORY_DMABUF`). Other devices may need memory of
    /// a certain heap; and it is the way with drivers that can't export.
    case imported(MemoryPreference)

    public var description: String {
        switch self {
        case .driver: "the driver's memory"
        case .imported(let preference): "\(preference)"
        }
    }
}

/// What is wanted of a camera. The driver gives what is nearest: ``V4L2CameraSetup`` says what.
public struct V4L2CameraConfiguration: Sendable, Hashable {
    /// One of ``V4L2Device/inputs()``; nil: as it is.
    public var input: Int?

    /// The same by its name, in any case. Goes before ``input``.
    public var inputName: String?

    /// The image's size; nil: as the device is set now, or what a digital video input receives.
    public var size: V4L2Size?

    /// The pixel format; nil: as the device is set now.
    public var format: PixelFormat?

    /// V4L2's own code, where a format has several: `NV12` has its planes in one buffer, `NM12` in two. Goes before
    /// ``format`` where the device offers it, and is all that counts where that is nil.
    public var code: FourCC?

    /// Frames a second; nil: as the device is set now.
    public var framesPerSecond: Double?

    /// How many buffers, 1 to 32. The driver may need more.
    public var slots: Int

    /// Who makes the buffers.
    public var memory: V4L2Memory

    /// Controls to set before streaming, in order. See ``V4L2Device/control(named:)``.
    public var controls: [V4L2ControlSetting]

    /// Whether anything other than what was asked is an error, ``V4L2Error/adjusted(path:_:)``.
    public var exact: Bool

    public init(
        size: V4L2Size? = nil,
        format: PixelFormat? = nil,
        framesPerSecond: Double? = nil,
        slots: Int = 8,
        memory: V4L2Memory = .driver,
        controls: [V4L2ControlSetting] = [],
        exact: Bool = false
    ) {
        self.size = size
        self.format = format
        self.framesPerSecond = framesPerSecond
        self.slots = slots
        self.memory = memory
        self.controls = controls
        self.exact = exact
    }

    /// With settings that were made since, in the place of earlier ones of the same controls.
    func setting(_ live: [V4L2ControlSetting]) -> V4L2CameraConfiguration {
        var configuration = self
        configuration.controls.removeAll { old in live.contains { $0.name == V4L2Control.key(of: old.name) } }
        configuration.controls += live
        return configuration
    }

    /// Chooses the format by any of its names, or by V4L2's code: for a format that has several ("NM12", "YUV4"), and for
    /// one that is not known here ("HSV3"). A code is written as ``V4L2Format/code`` prints it ("XR15-BE").
    ///
    /// - Returns: false if the name means nothing, and can't be a code; the configuration is then as before.
    public mutating func setFormat(named name: String) -> Bool {
        let format = PixelFormat(name: name)
        let codes = [FourCC(name), FourCC(name.uppercased())].compactMap(\.self)
        let code = codes.first { PixelFormat(v4l2: $0) == format }
        guard format != nil || code != nil else { return false }
        (self.format, self.code) = (format, code)
        return true
    }
}

/// A control and the value to give it.
public struct V4L2ControlSetting: Sendable, Hashable {
    /// The control's name, in either form.
    public var name: String
    public var value: V4L2ControlValue

    public init(_ name: String, _ value: V4L2ControlValue) {
        self.name = name
        self.value = value
    }
}

/// Something that the driver gives otherwise than asked.
public struct V4L2Adjustment: Sendable, Hashable, CustomStringConvertible {
    /// "size", "format", "rate", "slots".
    public let what: String
    public let asked: String
    public let given: String

    /// "size 1000x700 became 960x720".
    public var description: String { "\(what) \(asked) became \(given)" }
}

/// What a camera has been set to.
public struct V4L2CameraSetup: Sendable, Hashable {
    /// The images, as the driver lays them out. Its planes' `buffer` is the number of V4L2's plane.
    public let layout: ImageLayout

    /// V4L2's code for the format.
    public let code: FourCC

    /// The time between frames, nil where the driver doesn't say.
    public let interval: V4L2Interval?

    /// How many buffers there are.
    public let slots: Int

    /// What kind of memory they are.
    public let memoryKind: MemoryKind

    /// Where they come from: "vivid (VIDIOC_EXPBUF)", "/dev/dma_heap/system".
    public let memorySource: String

    /// How imported memory was found, and why not elsewhere; nil for the driver's own.
    public let allocationReport: AllocationReport?

    /// Whether those who receive a buffer can be kept from writing it.
    public let writeProtection: WriteProtection

    /// How many buffers the driver must have at least, to lose no frame.
    public let buffersNeeded: Int

    /// What differs from what was asked.
    public let adjustments: [V4L2Adjustment]

    /// What else is worth knowing, for people.
    public let notes: [String]
}

extension V4L2CameraSetup {
    init(_ plan: V4L2CameraPlan, _ set: V4L2BufferSet, _ layout: ImageLayout) {
        self.init(
            layout: layout,
            code: plan.format.code,
            interval: plan.interval,
            slots: set.buffers.count,
            memoryKind: set.kind,
            memorySource: set.source,
            allocationReport: set.report,
            writeProtection: set.writeProtection,
            buffersNeeded: min(plan.buffersNeeded, set.buffers.count),
            adjustments: plan.adjustments,
            notes: plan.notes + set.notes
        )
    }
}
