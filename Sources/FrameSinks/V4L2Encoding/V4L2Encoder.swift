internal import CLinuxMedia
public import FrameMemory
public import FrameShare
internal import Glibc
public import PixelFormats
internal import SystemPackage

/// Encodes a channel's frames by a V4L2 encoder.
///
/// Where it can, the device reads the camera's own memory by its DMA buffer (`V4L2_MEMORY_DMABUF`): no CPU touches the
/// pixels, and the frame's lease ends when the driver gives the buffer back. What it can't read in place is copied into
/// the driver's buffers, and ``intake`` says why. Not for several threads at once.
///
/// A call of the driver that fails may work again. It costs a frame at most, which is counted as ``damaged``. When a call
/// fails again before the next packet, both queues are restarted. Eight failures in succession end the encoder.
public final class V4L2Encoder {
    /// The layout of the frames.
    public let layout: ImageLayout
    public let options: VideoOptions
    public let device: V4L2EncoderDevice
    /// How frames get in.
    public private(set) var intake: V4L2EncoderIntake
    /// Frames that the device read where they were.
    public private(set) var imported = 0
    /// Frames whose pixels were copied.
    public private(set) var copied = 0
    /// Frames that the device could not encode, or whose packets were lost.
    public private(set) var damaged = 0
    /// Calls of the driver that failed, after which the encoder went on.
    public private(set) var failures = 0
    /// Places where a packet was lost: the packets from there to the next keyframe can't be decoded. It is up to date when
    /// the next packet is handed out.
    public private(set) var gaps = 0

    private let input: V4L2EncoderInput
    private var frames: V4L2EncoderQueue
    private var packets: V4L2EncoderQueue
    /// What the driver reads, by the number of its buffer; nil: free.
    private var queued: [Lease?] = []
    private var stamps: [(stamp: Int64, index: Int64)] = []
    private var lastStamp = Int64.min
    private var pending = PendingFrames()
    private var headers: [UInt8] = []
    private var isFinished = false
    /// The failure that left the queue of frames without buffers that fit. Nothing can be encoded after it.
    private var broken: V4L2EncoderError?
    /// Buffers for packets that the driver did not take; they are offered again.
    private var refused: [Int] = []
    /// Failures since the device last gave a packet.
    private var failuresInRow = 0
    private var restarts = 0
    /// How often in succession the device has called, and had nothing to give.
    private var emptyTurns = 0

    /// More failures in succession end the encoder.
    private static let mostFailures = 8

    /// A frame that the driver has; without one, a copy of it.
    private final class Lease {
        let frame: Frame?
        init(_ frame: consuming Frame?) { self.frame = frame }
    }

    /// In s.
    private static let patience = 10
    /// In µs.
    private static let pause: UInt32 = 5000

    /// - Parameters:
    ///   - device: nil: the first that fits
    ///   - layout: of the frames' first stream
    ///   - memory: what that stream's buffers are
    public init(
        device: V4L2EncoderDevice? = nil,
        layout: ImageLayout,
        memory: MemoryKind,
        options: VideoOptions
    ) throws(VideoError) {
        try options.check()
        guard !layout.format.isCompressed else { throw .compressedAlready(layout.format) }
        do throws(V4L2EncoderError) {
            let device =
                if let device { device } else { try V4L2EncoderDevice.first(options.codec, taking: layout.format) }
            guard let code = device.outputs.first(where: { PixelFormat(v4l2: $0) == options.codec.format }) else {
                throw V4L2EncoderError.codecNotOffered(
                    path: device.path,
                    options.codec,
                    offered: device.outputs.map(\.description)
                )
            }
            (self.device, self.layout, self.options) = (device, layout, options)
            // The order is V4L2's: what comes out, what goes in, then the rest.
            var coded = fs_v4l2_format()
            coded.type = device.packetType
            coded.width = UInt32(clamping: layout.width)
            coded.height = UInt32(clamping: layout.height)
            coded.pixelformat = code.rawValue
            coded.num_planes = 1
            // Where the driver has no idea of its own.
            coded.sizeimage.0 = UInt32(clamping: max(262_144, layout.width * layout.height))
            let made = try device.setFormat(coded)
            input = try V4L2EncoderInput(device, layout)
            intake = input.whyCopied(layout, memory).map { .copied(reason: $0) } ?? .imported
            var (numerator, denominator) = (UInt32(1000), max(1, UInt32((options.framesPerSecond * 1000).rounded())))
            // Drivers that don't ask for a rate refuse, which is fine.
            _ = device.raw {
                fs_v4l2_set_interval(device.descriptor, device.inputType, &numerator, &denominator)
            }
            try V4L2EncoderControls(device: device).apply(options)
            frames = V4L2EncoderQueue(device, type: device.inputType, planes: input.sizes.count)
            packets = V4L2EncoderQueue(device, type: device.packetType, planes: 1)
            try frames.makeBuffers(4, sizes: input.sizes, isImport: intake == .imported)
            queued = Array(repeating: nil, count: frames.count)
            let packetSize = Int(V4L2EncoderQueue.element(made.sizeimage, 0))
            try packets.makeBuffers(6, sizes: [packetSize], isImport: false)
            for index in 0..<packets.count { try packets.queue(index) }
            try packets.start()
            try frames.start()
        } catch {
            throw .device(error)
        }
    }

    /// Has the next frame encoded without those before it.
    /// - Throws: ``V4L2EncoderError/notAdjustable(path:what:)`` where the driver has no control for it.
    public func forceKeyframe() throws(VideoError) {
        do throws(V4L2EncoderError) {
            try V4L2EncoderControls(device: device).forceKeyframe()
        } catch {
            throw .device(error)
        }
    }

    /// Encodes a frame's first image. Packets come as they are done: none, one, or several.
    ///
    /// With ``VideoOptions/lowLatency`` it waits for the device to be done with the frame; else that goes on while the
    /// caller waits for the next.
    public func encode(
        _ frame: consuming Frame,
        _ body: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws(VideoError) {
        try checkLayout(frame)
        _ = try collect(body)
        while !queued.contains(where: { $0 == nil }) { try wait(body) }
        if intake == .imported, let memory = frame.image(at: 0)?.memory, !memory.isDMABuf {
            // One of the copies that a publisher gives to those that lag.
            while isBusy { try wait(body) }
            do throws(V4L2EncoderError) {
                try copyFromNowOn("frames came in a \(memory), which no device can read")
            } catch {
                throw .device(error)
            }
        }
        let index = pending.add(frame)
        // Unique, so that a packet finds its frame: to V4L2 times are µs.
        let stamp = max(pending.latestTime / 1000 * 1000, lastStamp == .min ? 0 : lastStamp + 1000)
        lastStamp = stamp
        stamps.append((stamp, index))
        do throws(V4L2EncoderError) {
            try enter(frame, stamp)
        } catch {
            // The frame is lost, and no packet refers to it.
            damaged += 1
            stamps.removeAll { $0.stamp == stamp }
            try goOn(after: error)
        }
        while options.lowLatency ? isBusy : queued.allSatisfy({ $0 != nil }) { try wait(body) }
    }

    /// Takes what the device has done since, and ends those frames' leases.
    /// - Returns: whether there was something
    @discardableResult
    public func collect(_ body: (borrowing VideoPacket) throws(VideoError) -> Void) throws(VideoError) -> Bool {
        try takeBack(body).isProgress
    }

    /// Gets the packets that are still inside. Nothing can be encoded after.
    public func finish(_ body: (borrowing VideoPacket) throws(VideoError) -> Void) throws(VideoError) {
        guard !isFinished else { return }
        isFinished = true
        guard imported + copied > 0 else { return }
        let stop = device.raw { fs_v4l2_stop_encoder(device.descriptor) }
        if stop == 0 {
            // A restart drops what was inside, and there is no end to wait for.
            let before = restarts
            while try !takeBack(body).isLast, restarts == before { try waitForDevice() }
            damaged += stamps.count
            stamps = []
        } else {
            // No such command: then a frame's packet comes with its buffer.
            while isBusy { try wait(body) }
        }
    }

    private var isBusy: Bool { queued.contains { $0 != nil } }

    private func checkLayout(_ frame: borrowing Frame) throws(VideoError) {
        guard let now = frame.image(at: 0)?.layout else { throw .channel(.noStreams) }
        if now != layout { throw .layoutChanged(from: layout, to: now) }
    }

    private func enter(_ frame: consuming Frame, _ stamp: Int64) throws(V4L2EncoderError) {
        guard let index = queued.firstIndex(where: { $0 == nil }) else { return }
        if intake == .imported {
            let result = queueInPlace(frame, index, stamp)
            if result == 0 {
                imported += 1
                queued[index] = Lease(frame)
                return
            }
            // A driver may refuse memory that it can't reach; it says so of the first buffer.
            guard imported == 0, result == -EINVAL || result == -ENOMEM || result == -EFAULT || result == -EACCES else {
                throw device.error("VIDIOC_QBUF", "a frame's DMA buffer", -result)
            }
            try copyFromNowOn("the driver does not take its DMA buffer (\(Errno(rawValue: -result)))")
            return try enterCopy(frame, 0, stamp)
        }
        try enterCopy(frame, index, stamp)
    }

    /// Puts the driver's own buffers in place of those that imported. It holds none of these.
    private func copyFromNowOn(_ reason: String) throws(V4L2EncoderError) {
        do throws(V4L2EncoderError) {
            try frames.stop()
            try frames.makeBuffers(4, sizes: input.sizes, isImport: false)
            queued = Array(repeating: nil, count: frames.count)
            try frames.start()
        } catch {
            broken = error
            throw error
        }
        intake = .copied(reason: reason)
    }

    private func queueInPlace(_ frame: borrowing Frame, _ index: Int, _ stamp: Int64) -> Int32 {
        guard let image = frame.image(at: 0) else { return -EINVAL }
        return frames.queue(
            index,
            stamp: stamp,
            used: input.sizes.indices.map { layout.bufferSize($0) },
            descriptors: image.descriptors
        )
    }

    private func enterCopy(_ frame: borrowing Frame, _ index: Int, _ stamp: Int64) throws(V4L2EncoderError) {
        guard let image = frame.image(at: 0) else { return }
        try input.copy(image, to: frames.mappings[index], path: device.path)
        let result = frames.queue(index, stamp: stamp, used: input.sizes, descriptors: [])
        guard result == 0 else { throw device.error("VIDIOC_QBUF", "a copied frame", -result) }
        copied += 1
        queued[index] = Lease(nil)
    }

    /// Waits until the device has done something, and takes it.
    private func wait(_ body: (borrowing VideoPacket) throws(VideoError) -> Void) throws(VideoError) {
        if try takeBack(body).isProgress { return }
        try waitForDevice()
        _ = try takeBack(body)
    }

    private func waitForDevice() throws(VideoError) {
        var set = pollfd(fd: device.descriptor, events: Int16(POLLIN | POLLOUT | POLLPRI), revents: 0)
        var result: Int32
        repeat {
            result = poll(&set, 1, Int32(Self.patience * 1000))
        } while result < 0 && errno == EINTR
        // A driver that calls for ever and has nothing to give must not take the processor.
        if result > 0 {
            emptyTurns += 1
            if emptyTurns > 1 { usleep(Self.pause) }
        }
        guard result != 0, emptyTurns < Self.patience * 1_000_000 / Int(Self.pause) else {
            throw .device(.noAnswer(path: device.path, seconds: Self.patience))
        }
    }

    private func takeBack(
        _ body: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws(VideoError) -> (isProgress: Bool, isLast: Bool) {
        if let broken { throw .device(broken) }
        var (isProgress, isLast) = (false, false)
        // A restart in between offers all of them.
        for _ in refused.indices where !refused.isEmpty { try giveBack(refused.removeFirst()) }
        do throws(V4L2EncoderError) {
            while let back = try frames.dequeue() {
                queued[back.index] = nil
                (isProgress, emptyTurns) = (true, 0)
            }
        } catch {
            try goOn(after: error)
            return (true, false)
        }
        while !isLast {
            let taken: V4L2EncoderQueue.Returned?
            do throws(V4L2EncoderError) {
                taken = try packets.dequeue()
            } catch {
                try goOn(after: error)
                return (true, false)
            }
            guard let packet = taken else { break }
            (isProgress, failuresInRow, emptyTurns) = (true, 0, 0)
            isLast = packet.isLast
            try hand(packet, body)
            guard !isLast else { break }
            try giveBack(packet.index)
        }
        return (isProgress, isLast || packets.isDrained)
    }

    /// A buffer that the driver refuses is offered again later.
    private func giveBack(_ index: Int) throws(VideoError) {
        do throws(V4L2EncoderError) {
            try packets.queue(index)
        } catch {
            refused.append(index)
            try goOn(after: error)
        }
    }

    // MARK: trouble

    /// Goes on after an error that may pass, or throws it.
    private func goOn(after error: V4L2EncoderError) throws(VideoError) {
        guard broken == nil, error.mayPass, failuresInRow < Self.mostFailures else { throw .device(error) }
        failures += 1
        failuresInRow += 1
        do throws(V4L2EncoderError) {
            if failuresInRow > 1 { try restart() } else { reclaim() }
        } catch {
            throw .device(error)
        }
        // What refers to what was lost can't be decoded. Not every driver has the control.
        do throws(V4L2EncoderError) { try V4L2EncoderControls(device: device).forceKeyframe() } catch {}
    }

    private func reclaim() {
        // Its packet may come all the same.
        for index in frames.reclaimLost() { queued[index] = nil }
        let lost = packets.reclaimLost()
        refused += lost.filter { !refused.contains($0) }
        if !lost.isEmpty { gaps += 1 }
    }

    /// Drops what is inside, and starts both queues anew with the same buffers.
    private func restart() throws(V4L2EncoderError) {
        restarts += 1
        try frames.stop()
        try packets.stop()
        damaged += stamps.count
        gaps += 1
        queued = Array(repeating: nil, count: frames.count)
        (stamps, refused) = ([], [])
        for index in 0..<packets.count {
            do throws(V4L2EncoderError) { try packets.queue(index) } catch { refused.append(index) }
        }
        try packets.start()
        try frames.start()
    }

    private func hand(
        _ packet: V4L2EncoderQueue.Returned,
        _ body: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws(VideoError) {
        // Its frame is counted with the next packet.
        if packet.isDamaged {
            gaps += 1
            return
        }
        guard !packet.data.isEmpty else { return }
        let mapping = packets.mappings[packet.index][0]
        let data = UnsafeRawBufferPointer(rebasing: mapping.bytes[packet.data])
        defer { withExtendedLifetime(mapping) {} }
        var isKeyframe = packet.isKeyframe || options.codec.isIntra
        if options.codec == .fwht { isKeyframe = isKeyframe || FWHTHeader.isKeyframe(data) }
        var lacksHeaders = false
        if options.codec.hasParameterSets {
            let sets = AnnexB.parameterSets(data, options.codec)
            if !sets.isEmpty { headers = sets }
            // Some drivers give the parameter sets once, in a buffer of their own.
            if sets.count >= data.count { return }
            isKeyframe = isKeyframe || !sets.isEmpty
            lacksHeaders = isKeyframe && sets.isEmpty
        }
        guard let place = stamps.firstIndex(where: { $0.stamp == packet.stamp }) else {
            // Of a frame that was counted as lost.
            if failures > 0 { return }
            throw .device(.contradiction(path: device.path, "a packet's time is that of no frame"))
        }
        // The packets of those before it did not come.
        damaged += place
        let index = stamps[place].index
        stamps.removeFirst(place + 1)
        guard let (info, metadata) = pending.take(pts: index, dts: index, isKeyframe: isKeyframe) else { return }
        let view = MetadataView(encoded: metadata.span.bytes)
        if lacksHeaders, !headers.isEmpty {
            let whole = headers + data
            try body(VideoPacket(bytes: whole.span.bytes, info: info, metadata: view))
        } else {
            // Invariant: the buffer is the program's, and mapped, until it is queued again.
            let bytes = RawSpan(_unsafeBytes: data)
            try body(VideoPacket(bytes: bytes, info: info, metadata: view))
        }
    }
}

/// The head of each FWHT frame: `struct fwht_cframe_hdr` of the kernel's `codec-fwht.h`, numbers big-endian.
enum FWHTHeader {
    private static let magic: [UInt8] = [0x4F, 0x4F, 0x4F, 0x4F, 0xFF, 0xFF, 0xFF, 0xFF]
    private static let flagsOffset = 20
    /// `V4L2_FWHT_FL_I_FRAME`, bit 10: in the third byte.
    private static let keyframe: UInt8 = 1 << 2

    /// Whether a frame can be decoded without those before it.
    static func isKeyframe(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= flagsOffset + 4 && bytes.starts(with: magic) && bytes[flagsOffset + 2] & keyframe != 0
    }
}

// MARK: names of before 0.2

@available(*, deprecated, renamed: "V4L2Encoder")
public typealias M2MEncoder = V4L2Encoder
@available(*, deprecated, renamed: "V4L2EncoderDevice")
public typealias M2MDevice = V4L2EncoderDevice
@available(*, deprecated, renamed: "V4L2EncoderIntake")
public typealias M2MIntake = V4L2EncoderIntake
@available(*, deprecated, renamed: "V4L2EncoderError")
public typealias M2MError = V4L2EncoderError
