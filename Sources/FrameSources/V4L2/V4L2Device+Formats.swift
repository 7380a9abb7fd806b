internal import CLinuxMedia
internal import Glibc
public import PixelFormats
internal import SystemPackage

/// The format a driver is set to: `struct v4l2_format`, its unions laid flat.
struct DriverFormat {
    var width = 0
    var height = 0
    var code = FourCC(rawValue: 0)
    var field: UInt32 = 0
    var colorSpace: UInt32 = 0
    var transfer: UInt32 = 0
    var encoding: UInt32 = 0
    var quantization: UInt32 = 0
    /// One for each buffer of an image.
    var planes: [V4L2Plane] = []
}

extension V4L2Device {
    /// The formats the device offers, in the driver's order: `VIDIOC_ENUM_FMT`.
    public func formats() throws(V4L2Error) -> [V4L2Format] {
        var formats: [V4L2Format] = []
        // The limit is for drivers that never end their list.
        for index: UInt32 in 0..<1024 {
            var entry = v4l2_fmtdesc()
            let result = raw { fs_v4l2_enum_format(descriptor, bufferType, index, &entry) }
            if result == -EINVAL { break }
            guard result == 0 else { throw error("VIDIOC_ENUM_FMT", "format \(index)", -result) }
            formats.append(
                V4L2Format(
                    code: FourCC(rawValue: entry.pixelformat),
                    text: cString(entry.description),
                    isEmulated: entry.flags & UInt32(V4L2_FMT_FLAG_EMULATED) != 0,
                    isCompressed: entry.flags & UInt32(V4L2_FMT_FLAG_COMPRESSED) != 0
                )
            )
        }
        return formats
    }

    /// The sizes for one of ``formats()``.
    public func sizes(of code: FourCC) throws(V4L2Error) -> V4L2FrameSizes {
        var sizes: [V4L2Size] = []
        for index: UInt32 in 0..<1024 {
            var entry = fs_v4l2_frame_size()
            let result = raw { fs_v4l2_enum_frame_size(descriptor, code.rawValue, index, &entry) }
            if result == -EINVAL { break }
            if result == -ENOTTY { return .unknown }
            guard result == 0 else { throw error("VIDIOC_ENUM_FRAMESIZES", "\(code)", -result) }
            let least = V4L2Size(width: Int(entry.min_width), height: Int(entry.min_height))
            if entry.kind != V4L2_FRMSIZE_TYPE_DISCRETE.rawValue {
                return .stepwise(
                    least: least,
                    most: V4L2Size(width: Int(entry.max_width), height: Int(entry.max_height)),
                    step: V4L2Size(width: max(1, Int(entry.step_width)), height: max(1, Int(entry.step_height)))
                )
            }
            sizes.append(least)
        }
        return sizes.isEmpty ? .unknown : .discrete(sizes)
    }

    /// The times between frames for one of ``formats()`` at a size.
    public func intervals(of code: FourCC, size: V4L2Size) throws(V4L2Error) -> V4L2FrameIntervals {
        var intervals: [V4L2Interval] = []
        let width = UInt32(clamping: size.width)
        let height = UInt32(clamping: size.height)
        for index: UInt32 in 0..<1024 {
            var entry = fs_v4l2_frame_interval()
            let result = raw { fs_v4l2_enum_frame_interval(descriptor, code.rawValue, width, height, index, &entry) }
            if result == -EINVAL { break }
            if result == -ENOTTY { return .unknown }
            guard result == 0 else { throw error("VIDIOC_ENUM_FRAMEINTERVALS", "\(code) \(size)", -result) }
            let shortest = V4L2Interval(numerator: entry.min_numerator, denominator: entry.min_denominator)
            let longest = V4L2Interval(numerator: entry.max_numerator, denominator: entry.max_denominator)
            guard let shortest, let longest else { continue }
            if entry.kind != V4L2_FRMIVAL_TYPE_DISCRETE.rawValue {
                return .range(shortest: shortest, longest: longest)
            }
            intervals.append(shortest)
        }
        return intervals.isEmpty ? .unknown : .discrete(intervals)
    }

    /// The names of the device's inputs, in order; most cameras have one.
    public func inputs() throws(V4L2Error) -> [String] {
        var names: [String] = []
        for index: UInt32 in 0..<64 {
            var input = v4l2_input()
            let result = raw { fs_v4l2_enum_input(descriptor, index, &input) }
            if result == -EINVAL || result == -ENOTTY { break }
            guard result == 0 else { throw error("VIDIOC_ENUMINPUT", "input \(index)", -result) }
            names.append(cString(input.name))
        }
        return names
    }

    /// The chosen input's number, nil where the device has no inputs to choose from.
    public func input() throws(V4L2Error) -> Int? {
        var index: Int32 = 0
        let result = raw { fs_v4l2_get_input(descriptor, &index) }
        if result == -ENOTTY || result == -EINVAL { return nil }
        guard result == 0 else { throw error("VIDIOC_G_INPUT", "", -result) }
        return Int(index)
    }

    /// Chooses an input. This may change the format.
    public func setInput(_ input: Int) throws(V4L2Error) {
        let result = raw { fs_v4l2_set_input(descriptor, Int32(clamping: input)) }
        if result == -EINVAL || result == -ENOTTY {
            throw .noSuchInput(path: path, input: "\(input)", inputs: try inputs())
        }
        guard result == 0 else { throw error("VIDIOC_S_INPUT", "\(input)", -result) }
    }

    /// Chooses an input by its name, in any case: "HDMI 1".
    func setInput(named name: String) throws(V4L2Error) {
        let names = try inputs()
        let wanted = name.lowercased()
        guard let input = names.firstIndex(where: { $0.lowercased() == wanted }) else {
            throw .noSuchInput(path: path, input: "'\(name)'", inputs: names)
        }
        try setInput(input)
    }

    /// Takes over the timings that a digital video input (HDMI) sees now. Nothing happens on other inputs.
    func adoptTimings() {
        // ENODATA and ENOTTY: no such thing here. Lost or unstable signals show as missing frames.
        _ = raw { fs_v4l2_adopt_dv_timings(descriptor) }
    }

    /// The format as it is set: `VIDIOC_G_FMT`.
    func currentFormat() throws(V4L2Error) -> DriverFormat {
        var flat = fs_v4l2_format()
        try ioctl("VIDIOC_G_FMT") { fs_v4l2_get_format(descriptor, bufferType, &flat) }
        return DriverFormat(flat)
    }

    /// Asks for a size and format and tells what the driver made of it: `VIDIOC_S_FMT`, or with `trial` `VIDIOC_TRY_FMT`.
    func setFormat(_ code: FourCC, _ size: V4L2Size, trial: Bool = false) throws(V4L2Error) -> DriverFormat {
        var flat = fs_v4l2_format()
        flat.type = bufferType
        flat.width = UInt32(clamping: size.width)
        flat.height = UInt32(clamping: size.height)
        flat.pixelformat = code.rawValue
        flat.field = V4L2_FIELD_NONE.rawValue
        try ioctl(trial ? "VIDIOC_TRY_FMT" : "VIDIOC_S_FMT", "\(size) \(code)") {
            fs_v4l2_set_format(descriptor, trial, &flat)
        }
        return DriverFormat(flat)
    }

    /// The time between frames, nil where the driver doesn't say.
    func currentInterval() throws(V4L2Error) -> V4L2Interval? {
        var (numerator, denominator, capability) = (UInt32(0), UInt32(0), UInt32(0))
        let result = raw { fs_v4l2_get_interval(descriptor, bufferType, &numerator, &denominator, &capability) }
        if result == -ENOTTY || result == -EINVAL { return nil }
        guard result == 0 else { throw error("VIDIOC_G_PARM", "", -result) }
        return V4L2Interval(numerator: numerator, denominator: denominator)
    }

    /// Asks for a time between frames. The driver takes the nearest it can do, which is returned; nil where it can't be set.
    func setInterval(_ interval: V4L2Interval) throws(V4L2Error) -> V4L2Interval? {
        var (numerator, denominator) = (interval.numerator, interval.denominator)
        let result = raw { fs_v4l2_set_interval(descriptor, bufferType, &numerator, &denominator) }
        if result == -ENOTTY || result == -EINVAL { return nil }
        guard result == 0 else { throw error("VIDIOC_S_PARM", "\(interval)", -result) }
        return V4L2Interval(numerator: numerator, denominator: denominator)
    }
}

extension DriverFormat {
    init(_ flat: fs_v4l2_format) {
        self.init(
            width: Int(flat.width),
            height: Int(flat.height),
            code: FourCC(rawValue: flat.pixelformat),
            field: flat.field,
            colorSpace: flat.colorspace,
            transfer: flat.xfer_func,
            encoding: flat.ycbcr_enc,
            quantization: flat.quantization,
            planes: (0..<min(Int(flat.num_planes), Int(VIDEO_MAX_PLANES))).map {
                V4L2Plane(
                    bytesPerLine: Int(element(flat.bytesperline, $0)),
                    sizeImage: Int(element(flat.sizeimage, $0))
                )
            }
        )
    }

    var size: V4L2Size { V4L2Size(width: width, height: height) }

    func layoutResult(path: String) -> Result<ImageLayout, V4L2Error> {
        do throws(V4L2Error) {
            return .success(try layout(path: path))
        } catch {
            return .failure(error)
        }
    }

    /// The image that the driver will write.
    func layout(path: String) throws(V4L2Error) -> ImageLayout {
        guard let format = V4L2Format.format(of: code) else { throw .ambiguousFormat(path: path, code: code) }
        do throws(ImageLayoutError) {
            return try .v4l2(
                width: width,
                height: height,
                format: format,
                planes: planes,
                colorSpace: ColorSpace(
                    v4l2ColorSpace: colorSpace,
                    transfer: transfer,
                    encoding: encoding,
                    quantization: quantization,
                    format: format
                )
            )
        } catch {
            throw .layout(path: path, error)
        }
    }
}

/// The element of a C array, which Swift sees as a tuple of `VIDEO_MAX_PLANES` numbers; 0 outside.
func element<Tuple: BitwiseCopyable, Element: FixedWidthInteger & BitwiseCopyable>(
    _ array: Tuple,
    _ index: Int,
    as type: Element.Type = UInt32.self
) -> Element {
    withUnsafeBytes(of: array) { bytes in
        let offset = index * MemoryLayout<Element>.stride
        guard index >= 0, offset + MemoryLayout<Element>.size <= bytes.count else { return 0 }
        return bytes.loadUnaligned(fromByteOffset: offset, as: type)
    }
}
