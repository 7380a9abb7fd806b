internal import CLinuxMedia
internal import PixelFormats
internal import SystemPackage

/// Sets a device's input, format, rate and controls, and keeps account of what the driver made of each.
struct V4L2CameraPlan {
    /// Before the buffers are made its planes' `dataOffset` is unknown, and 0.
    var format: DriverFormat
    private(set) var interval: V4L2Interval?
    private(set) var buffersNeeded = 2
    private(set) var adjustments: [V4L2Adjustment] = []
    private(set) var notes: [String] = []

    init(device: V4L2Device, configuration: V4L2CameraConfiguration) throws(V4L2Error) {
        if let name = configuration.inputName {
            try device.setInput(named: name)
        } else if let input = configuration.input {
            try device.setInput(input)
        }
        device.adoptTimings()
        let before = try device.currentFormat()
        let code = try Self.code(device, configuration) ?? before.code
        let size = configuration.size ?? before.size
        format = try Self.possibleFormat(device, code, size)
        if format.code != code { note("format", asked: code, given: format.code) }
        try forgetStrideOfCompressed(device)
        if let asked = configuration.size { note("size", asked: asked, given: format.size) }
        try setRate(device, configuration.framesPerSecond)
        for setting in configuration.controls {
            try setControl(device, setting)
        }
        if let minimum = Self.minimumBuffers(device) { buffersNeeded = max(buffersNeeded, minimum) }
        let field = V4L2Field(rawValue: format.field) ?? .unknown
        if field.name != nil {
            notes.append("the source is interlaced: each frame is \(field.explanation), as its metadata says ('Field')")
        }
        if device.info.needsMediaController {
            notes.append("this node is part of a pipeline that the media controller sets up; libcamera does that")
        }
    }

    mutating func note<T: Equatable & CustomStringConvertible>(_ what: String, asked: T, given: T) {
        guard asked != given else { return }
        adjustments.append(V4L2Adjustment(what: what, asked: asked.description, given: given.description))
    }

    /// Sets the format. Where the driver takes a size at which the format has no image, such as an odd width of YUV420, the
    /// next smaller size that has one is set.
    private static func possibleFormat(
        _ device: V4L2Device,
        _ code: FourCC,
        _ size: V4L2Size
    ) throws(V4L2Error) -> DriverFormat {
        let format = try device.setFormat(code, size)
        guard case .failure(.layout) = format.layoutResult(path: device.path) else { return format }
        for step in [2, 4, 8, 16] where format.width >= step && format.height >= step {
            let (width, height) = (format.width / step * step, format.height / step * step)
            for (width, height) in [(width, format.height), (format.width, height), (width, height)] {
                let other = try device.setFormat(code, V4L2Size(width: width, height: height))
                if case .success = other.layoutResult(path: device.path) { return other }
            }
        }
        return try device.setFormat(code, size)
    }

    /// Some drivers give the rows of compressed images a length. Of a format that is not known here only the driver's word
    /// says that it is compressed.
    private mutating func forgetStrideOfCompressed(_ device: V4L2Device) throws(V4L2Error) {
        guard let unknown = V4L2Format.format(of: format.code), unknown.info == nil else { return }
        let code = format.code
        guard try device.formats().contains(where: { $0.code == code && $0.isCompressed }) else { return }
        for index in format.planes.indices { format.planes[index].bytesPerLine = 0 }
    }

    /// V4L2's code for the format that is asked for, nil if none is.
    private static func code(
        _ device: V4L2Device,
        _ configuration: V4L2CameraConfiguration
    ) throws(V4L2Error) -> FourCC? {
        let unnamed = configuration.code.map { PixelFormat(fourcc: $0) }
        guard let asked = configuration.format ?? unnamed else { return nil }
        let offered = try device.formats()
        if let code = configuration.code, offered.contains(where: { $0.code == code }) { return code }
        let fitting = configuration.format == nil ? [] : offered.filter { $0.format == asked }
        // Who asks for separate planes wants nothing else.
        let isStrict = configuration.code != nil && configuration.code == asked.v4l2MultiPlanar
        // Contiguous planes are what most readers expect.
        if !isStrict, let best = fitting.first(where: { !$0.hasSeparatePlanes }) ?? fitting.first {
            return best.code
        }
        throw .formatNotOffered(
            path: device.path,
            asked: asked,
            offered: offered.map { $0.format ?? PixelFormat(fourcc: $0.code) }
        )
    }

    private mutating func setRate(_ device: V4L2Device, _ framesPerSecond: Double?) throws(V4L2Error) {
        guard let framesPerSecond else {
            interval = try device.currentInterval()
            return
        }
        guard let asked = V4L2Interval(framesPerSecond: framesPerSecond) else {
            throw .badRate(path: device.path, framesPerSecond)
        }
        interval = try device.setInterval(asked)
        if let interval {
            if !interval.isSame(as: asked) { note("rate", asked: asked, given: interval) }
        } else {
            adjustments.append(V4L2Adjustment(what: "rate", asked: asked.description, given: "what the driver does"))
        }
    }

    private mutating func setControl(_ device: V4L2Device, _ setting: V4L2ControlSetting) throws(V4L2Error) {
        let control = try device.control(named: setting.name)
        let given = try device.set(control, to: setting.value)
        if case .integer(let number) = given, let asked = control.number(for: setting.value) {
            note(control.key, asked: asked, given: number)
        }
    }

    /// `V4L2_CID_MIN_BUFFERS_FOR_CAPTURE`, where the driver has it.
    private static func minimumBuffers(_ device: V4L2Device) -> Int? {
        var number: Int64 = 0
        let id = UInt32(V4L2_CID_MIN_BUFFERS_FOR_CAPTURE)
        guard device.raw({ fs_v4l2_get_control(device.descriptor, id, false, &number) }) == 0 else { return nil }
        return Int(min(max(0, number), 31)) + 1
    }
}
