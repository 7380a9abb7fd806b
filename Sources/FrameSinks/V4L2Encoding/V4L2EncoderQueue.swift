internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// One of an encoder's two queues: frames go in by one, packets come out of the other.
struct V4L2EncoderQueue {
    let device: V4L2EncoderDevice
    let type: UInt32
    let planes: Int
    /// How many buffers there are.
    private(set) var count = 0
    /// Of the driver's own buffers: by buffer, then by plane. Empty where frames are imported.
    private(set) var mappings: [[Mapping]] = []
    /// Whether the driver has said that nothing more comes.
    private(set) var isDrained = false
    private var memory: UInt32 = V4L2_MEMORY_MMAP.rawValue
    /// Which buffers the driver has.
    private var isQueued: [Bool] = []

    /// What came back.
    struct Returned {
        var index: Int
        var stamp: Int64
        var isKeyframe: Bool
        var isDamaged: Bool
        var isLast: Bool
        /// Where in the first plane there is data.
        var data: Range<Int>
    }

    init(_ device: V4L2EncoderDevice, type: UInt32, planes: Int) {
        (self.device, self.type, self.planes) = (device, type, planes)
    }

    /// Makes buffers in place of all that were there: the driver's, mapped; or places for what is imported.
    ///
    /// - Parameter sizes: the bytes of each plane
    mutating func makeBuffers(_ wanted: Int, sizes: [Int], isImport: Bool) throws(V4L2EncoderError) {
        if !isImport {
            do throws(MemoryError) {
                try MemoryBudget().check(count: wanted, sizes: sizes, madeBy: "the driver of \(device.path)")
            } catch {
                throw .memory(path: device.path, error)
            }
        }
        mappings = []
        try request(0, memory)
        memory = (isImport ? V4L2_MEMORY_DMABUF : V4L2_MEMORY_MMAP).rawValue
        count = try request(wanted, memory)
        guard (1...64).contains(count) else {
            throw .contradiction(path: device.path, "of \(wanted) buffers it makes \(count)")
        }
        isQueued = Array(repeating: false, count: count)
        guard !isImport else { return }
        let access: Mapping.Access = fs_v4l2_is_output(type) ? .readWrite : .read
        for index in 0..<count {
            var buffer = flat(index)
            try device.run("VIDIOC_QUERYBUF", "buffer \(index)") { fs_v4l2_query_buffer(device.descriptor, &buffer) }
            var maps: [Mapping] = []
            for plane in 0..<planes {
                do throws(MemoryError) {
                    maps.append(
                        try Mapping(
                            descriptor: device.descriptor,
                            size: Int(Self.element(buffer.length, plane)),
                            access: access,
                            offset: Int(Self.element(buffer.map_offset, plane))
                        )
                    )
                } catch {
                    throw .memory(path: device.path, error)
                }
            }
            mappings.append(maps)
        }
    }

    @discardableResult
    private func request(_ wanted: Int, _ memory: UInt32) throws(V4L2EncoderError) -> Int {
        var (number, capabilities) = (UInt32(wanted), UInt32(0))
        try device.run("VIDIOC_REQBUFS", "\(wanted) buffers") {
            fs_v4l2_request_buffers(device.descriptor, type, memory, &number, &capabilities)
        }
        return Int(number)
    }

    func start() throws(V4L2EncoderError) {
        try device.run("VIDIOC_STREAMON") { fs_v4l2_stream_on(device.descriptor, type) }
    }

    /// All buffers are the program's again.
    mutating func stop() throws(V4L2EncoderError) {
        try device.run("VIDIOC_STREAMOFF") { fs_v4l2_stream_off(device.descriptor, type) }
        isQueued = Array(repeating: false, count: count)
        isDrained = false
    }

    /// Finds the buffers that the driver no longer has, though it did not give them back: with an error, `VIDIOC_DQBUF` may
    /// take one out of the queue and not say which. They are the program's again.
    mutating func reclaimLost() -> [Int] {
        var lost: [Int] = []
        for index in isQueued.indices where isQueued[index] {
            var buffer = flat(index)
            let result = device.raw { fs_v4l2_query_buffer(device.descriptor, &buffer) }
            // An unknown state is no loss.
            guard result == 0, buffer.flags & UInt32(V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE) == 0 else { continue }
            lost.append(index)
        }
        for index in lost { isQueued[index] = false }
        return lost
    }

    private func flat(_ index: Int) -> fs_v4l2_buffer {
        var buffer = fs_v4l2_buffer()
        buffer.type = type
        buffer.memory = memory
        buffer.index = UInt32(clamping: index)
        buffer.num_planes = UInt32(planes)
        buffer.field = V4L2_FIELD_NONE.rawValue
        return buffer
    }

    /// Gives the driver one of its own buffers to fill.
    mutating func queue(_ index: Int) throws(V4L2EncoderError) {
        var buffer = flat(index)
        try device.run("VIDIOC_QBUF", "buffer \(index)") { fs_v4l2_queue_buffer(device.descriptor, &buffer) }
        isQueued[index] = true
    }

    /// Hands in a frame.
    /// - Parameters:
    ///   - stamp: ns; comes back with its packet, in µs
    ///   - used: the bytes of each plane
    ///   - descriptors: of each plane, to be imported; none where the frame was copied
    /// - Returns: 0, or a negative errno value
    mutating func queue(_ index: Int, stamp: Int64, used: [Int], descriptors: [Int32]) -> Int32 {
        var buffer = flat(index)
        buffer.timestamp_ns = stamp
        withUnsafeMutableBytes(of: &buffer.bytesused) { bytes in
            let numbers = bytes.bindMemory(to: UInt32.self)
            for (plane, size) in used.enumerated() { numbers[plane] = UInt32(clamping: size) }
        }
        withUnsafeMutableBytes(of: &buffer.fd) { bytes in
            let numbers = bytes.bindMemory(to: Int32.self)
            for (plane, descriptor) in descriptors.enumerated() { numbers[plane] = descriptor }
        }
        let result = device.raw { fs_v4l2_queue_buffer(device.descriptor, &buffer) }
        if result == 0 { isQueued[index] = true }
        return result
    }

    /// Takes a buffer that the driver is done with; nil if there is none now, or none will come.
    mutating func dequeue() throws(V4L2EncoderError) -> Returned? {
        var buffer = flat(0)
        let result = device.raw { fs_v4l2_dequeue_buffer(device.descriptor, &buffer) }
        if result == -EPIPE { isDrained = true }
        if result == -EAGAIN || result == -EPIPE { return nil }
        guard result == 0 else { throw device.error("VIDIOC_DQBUF", "", -result) }
        let index = Int(buffer.index)
        guard index < count else {
            throw .contradiction(path: device.path, "it gives back buffer \(index) of \(count)")
        }
        isQueued[index] = false
        let (begin, end) = (Int(Self.element(buffer.data_offset, 0)), Int(Self.element(buffer.bytesused, 0)))
        let room = mappings.isEmpty ? Int.max : mappings[index][0].size
        guard end <= room else {
            throw .contradiction(path: device.path, "\(end) bytes are in a buffer of \(room)")
        }
        return Returned(
            index: index,
            stamp: buffer.timestamp_ns,
            isKeyframe: buffer.flags & UInt32(V4L2_BUF_FLAG_KEYFRAME) != 0,
            isDamaged: buffer.flags & UInt32(V4L2_BUF_FLAG_ERROR) != 0,
            isLast: buffer.flags & UInt32(V4L2_BUF_FLAG_LAST) != 0,
            data: min(begin, end)..<end
        )
    }

    /// The element of a C array, which Swift sees as a tuple of `VIDEO_MAX_PLANES` numbers.
    static func element<Tuple: BitwiseCopyable>(_ array: Tuple, _ index: Int) -> UInt32 {
        withUnsafeBytes(of: array) { $0.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self) }
    }
}
