internal import CLinuxMedia
internal import Glibc

/// `V4L2_MEMORY_*`: who made the buffers.
enum DriverMemory: UInt32 {
    /// The driver.
    case mmap = 1
    /// We; the driver imports DMA buffers.
    case dmaBuf = 4
}

extension V4L2Device {
    /// Makes room for `count` buffers in place of all that were there: `VIDIOC_REQBUFS`. 0 frees them; exported ones
    /// live on for those who hold them (`V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS`, Linux 5.0).
    ///
    /// - Returns: how many the driver made, more or fewer than asked.
    func requestBuffers(_ count: Int, _ memory: DriverMemory) throws(V4L2Error) -> Int {
        var (number, capabilities) = (UInt32(clamping: count), UInt32(0))
        try ioctl("VIDIOC_REQBUFS", "\(count) buffers") {
            fs_v4l2_request_buffers(descriptor, bufferType, memory.rawValue, &number, &capabilities)
        }
        return Int(number)
    }

    /// The bytes of each of a buffer's planes: `VIDIOC_QUERYBUF`.
    func planeLengths(buffer index: Int, _ memory: DriverMemory, planes: Int) throws(V4L2Error) -> [Int] {
        var flat = flatBuffer(memory, planes: planes)
        flat.index = UInt32(clamping: index)
        try ioctl("VIDIOC_QUERYBUF", "buffer \(index)") { fs_v4l2_query_buffer(descriptor, &flat) }
        return (0..<min(Int(flat.num_planes), planes)).map { Int(element(flat.length, $0)) }
    }

    /// `V4L2_BUF_FLAG_*` of a buffer, nil if the driver doesn't say.
    ///
    /// - Parameter kind: a buffer of the same kind
    func flags(ofBuffer index: Int, _ kind: fs_v4l2_buffer) -> UInt32? {
        var flat = kind
        flat.index = UInt32(clamping: index)
        return raw { fs_v4l2_query_buffer(descriptor, &flat) } == 0 ? flat.flags : nil
    }

    /// How many bytes a driver leaves before the pixels of each plane (`v4l2_plane.data_offset`). It says so only of a
    /// buffer that it has, so a buffer is queued for this and taken back. The same shows whether it takes a buffer that was
    /// made elsewhere. Not while streaming.
    func dataOffsets(_ buffer: fs_v4l2_buffer) throws(V4L2Error) -> [Int] {
        let isMultiPlanar = fs_v4l2_is_multiplanar(bufferType)
        guard isMultiPlanar || buffer.memory == DriverMemory.dmaBuf.rawValue else { return [0] }
        var flat = buffer
        try ioctl("VIDIOC_QBUF", "buffer \(flat.index)") { fs_v4l2_queue_buffer(descriptor, &flat) }
        let result = raw { fs_v4l2_query_buffer(descriptor, &flat) }
        try streamOff()
        guard result == 0 else { throw error("VIDIOC_QUERYBUF", "buffer \(flat.index)", -result) }
        guard isMultiPlanar else { return [0] }
        return (0..<min(Int(flat.num_planes), Int(VIDEO_MAX_PLANES))).map { Int(element(flat.data_offset, $0)) }
    }

    /// A DMA buffer of a plane that the driver made: `VIDIOC_EXPBUF`. Each call makes a new one over the same memory.
    ///
    /// - Returns: a descriptor, which is the caller's to close, or a negative errno value.
    func exportPlane(buffer index: Int, plane: Int, readOnly: Bool) -> Int32 {
        let flags = UInt32(O_CLOEXEC | (readOnly ? O_RDONLY : O_RDWR))
        return raw {
            fs_v4l2_export_buffer(descriptor, bufferType, UInt32(clamping: index), UInt32(clamping: plane), flags)
        }
    }

    /// Whether the driver takes buffers made elsewhere. It has none afterwards.
    func importsBuffers() -> Bool {
        _ = try? requestBuffers(0, .mmap)
        let count = try? requestBuffers(1, .dmaBuf)
        _ = try? requestBuffers(0, .dmaBuf)
        return count ?? 0 > 0
    }

    /// Whether the driver shares its own buffers. It has none afterwards.
    func exportsBuffers() -> Bool {
        _ = try? requestBuffers(0, .dmaBuf)
        defer { _ = try? requestBuffers(0, .mmap) }
        guard let count = try? requestBuffers(1, .mmap), count > 0 else { return false }
        let number = exportPlane(buffer: 0, plane: 0, readOnly: false)
        if number >= 0 { close(number) }
        return number >= 0
    }

    /// A buffer without a number, for calls that need its type only.
    func flatBuffer(_ memory: DriverMemory, planes: Int) -> fs_v4l2_buffer {
        var flat = fs_v4l2_buffer()
        flat.type = bufferType
        flat.memory = memory.rawValue
        flat.num_planes = UInt32(clamping: planes)
        return flat
    }

    func streamOn() throws(V4L2Error) {
        try ioctl("VIDIOC_STREAMON") { fs_v4l2_stream_on(descriptor, bufferType) }
    }

    /// All queued buffers are the program's again, filled or not.
    func streamOff() throws(V4L2Error) {
        try ioctl("VIDIOC_STREAMOFF") { fs_v4l2_stream_off(descriptor, bufferType) }
    }

    /// Asks to be told of a new resolution at the present input. Drivers whose source can't change refuse, which is fine.
    func subscribeSourceChange() throws(V4L2Error) {
        let input = UInt32(clamping: try input() ?? 0)
        _ = raw { fs_v4l2_subscribe_event(descriptor, UInt32(V4L2_EVENT_SOURCE_CHANGE), input) }
    }

    /// Takes all events that are there.
    ///
    /// - Returns: whether the source's resolution has changed.
    func takeEvents() throws(V4L2Error) -> Bool {
        var hasChanged = false
        while true {
            var (type, changes) = (UInt32(0), UInt32(0))
            let result = raw { fs_v4l2_dequeue_event(descriptor, &type, &changes) }
            if result == -ENOENT || result == -EAGAIN || result == -ENOTTY { return hasChanged }
            guard result == 0 else { throw error("VIDIOC_DQEVENT", "", -result) }
            if type == UInt32(V4L2_EVENT_SOURCE_CHANGE), changes & UInt32(V4L2_EVENT_SRC_CH_RESOLUTION) != 0 {
                hasChanged = true
            }
        }
    }
}
