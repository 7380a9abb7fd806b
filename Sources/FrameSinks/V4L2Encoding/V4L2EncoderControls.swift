internal import CLinuxMedia
internal import Glibc

/// Sets an encoder up as its driver's controls allow.
struct V4L2EncoderControls {
    let device: V4L2EncoderDevice

    /// What is asked for expressly and can't be set is an error; what has a default is left to the driver.
    func apply(_ options: VideoOptions) throws(V4L2EncoderError) {
        if let bitRate = options.bitRate {
            try set(FS_V4L2_BIT_RATE, to: bitRate, "a bit rate of")
        }
        guard options.bFrames == 0 else {
            throw .notAdjustable(path: device.path, what: "B-frames here (FFmpeg's encoders have them)")
        }
        try setIfThere(FS_V4L2_B_FRAMES, to: 0)
        try setIfThere(FS_V4L2_REPEAT_HEADERS, to: 1)
        try setIfThere(FS_V4L2_GOP_SIZE, to: options.keyframeInterval)
        if options.codec == .h264 { try setIfThere(FS_V4L2_H264_I_PERIOD, to: options.keyframeInterval) }
        if let profile = options.profile {
            try set(FS_V4L2_H264_PROFILE, to: profile.v4l2, "the profile \(profile.rawValue), number")
        }
        if let quality = options.quality { try setQuality(quality, options.codec) }
    }

    /// Has the next frame encoded without those before it.
    func forceKeyframe() throws(V4L2EncoderError) { try set(FS_V4L2_FORCE_KEYFRAME, to: 1, "a keyframe") }

    /// - Parameter quality: 1 to 100
    private func setQuality(_ quality: Int, _ codec: VideoCodec) throws(V4L2EncoderError) {
        let controls: [Int]
        switch codec {
        case .mjpeg: return try set(FS_V4L2_JPEG_QUALITY, to: quality, "a quality of")
        case .h264: controls = [FS_V4L2_H264_I_QP, FS_V4L2_H264_P_QP]
        case .hevc: controls = [FS_V4L2_HEVC_I_QP, FS_V4L2_HEVC_P_QP]
        case .fwht: controls = [FS_V4L2_FWHT_I_QP, FS_V4L2_FWHT_P_QP]
        case .raw: controls = []
        }
        var hasSome = false
        for control in controls {
            guard let range = range(of: control) else { continue }
            // The least quantizer is the best picture.
            let span = Double(range.upperBound - range.lowerBound)
            try write(control, range.lowerBound + Int((span * Double(100 - quality) / 99).rounded()))
            hasSome = true
        }
        guard hasSome else { throw .notAdjustable(path: device.path, what: "a quality (a bit rate may do)") }
    }

    private func set(_ control: Int, to value: Int, _ what: String) throws(V4L2EncoderError) {
        guard let range = range(of: control) else { throw .notAdjustable(path: device.path, what: "\(what) \(value)") }
        guard range.contains(value) else {
            throw .outOfRange(path: device.path, what: what, value: value, allowed: range)
        }
        try write(control, value)
    }

    private func setIfThere(_ control: Int, to value: Int) throws(V4L2EncoderError) {
        guard let range = range(of: control) else { return }
        try write(control, min(max(value, range.lowerBound), range.upperBound))
    }

    private func write(_ control: Int, _ value: Int) throws(V4L2EncoderError) {
        var number = Int64(value)
        try device.run("VIDIOC_S_EXT_CTRLS", "control 0x\(String(control, radix: 16)) = \(value)") {
            fs_v4l2_set_control(device.descriptor, UInt32(control), false, &number)
        }
    }

    /// What a control takes; nil where the driver has it not.
    private func range(of control: Int) -> ClosedRange<Int>? {
        var query = v4l2_query_ext_ctrl()
        let unusable = UInt32(V4L2_CTRL_FLAG_DISABLED) | UInt32(V4L2_CTRL_FLAG_READ_ONLY)
        guard device.raw({ fs_v4l2_query_control(device.descriptor, UInt32(control), &query) }) == 0,
            query.flags & unusable == 0
        else { return nil }
        // A button takes anything.
        if query.type == V4L2_CTRL_TYPE_BUTTON.rawValue { return 0...1 }
        guard query.minimum <= query.maximum else { return nil }
        return Int(query.minimum)...Int(query.maximum)
    }
}

extension H264Profile {
    /// `enum v4l2_mpeg_video_h264_profile`.
    fileprivate var v4l2: Int {
        switch self {
        case .baseline: 0
        case .main: 2
        case .high: 4
        }
    }
}
