internal import FrameMemory
internal import FrameShare
internal import Glibc
internal import LibcameraShim
internal import PixelFormats
internal import SystemPackage

/// A camera while it is being set up: it is closed unless it was taken.
struct LibcameraHandle: ~Copyable {
    private let id: String
    private var camera: OpaquePointer?

    init(system: LibcameraSystem, id: String) throws(LibcameraError) {
        self.id = id
        nonisolated(unsafe) var opened: OpaquePointer?
        let result = system.withManager { manager in fs_lc_open(manager, id, &opened, nil) }
        guard result == 0 else {
            switch -result {
            case EBUSY: throw .busy(id: id)
            case ENODEV: throw .noSuchCamera(id: id, known: system.cameraIDs)
            default: throw .cannotAcquire(id: id, Errno(rawValue: -result))
            }
        }
        camera = opened
    }

    deinit { fs_lc_close(camera) }

    /// Gives it away: it is not closed any more by this.
    consuming func take() -> OpaquePointer? {
        defer { camera = nil }
        return camera
    }

    /// Runs a call that returns a negative errno with a reason.
    @discardableResult
    static func check(_ id: String, _ call: (fs_lc_error?) -> Int32) throws(LibcameraError) -> Int {
        let (result, text) = Self.call(call)
        guard result >= 0 else {
            throw -result == ENODEV ? .unplugged(id: id) : .call(text, id: id, Errno(rawValue: -result))
        }
        return Int(result)
    }

    private static func call(_ body: (fs_lc_error?) -> Int32) -> (Int32, String) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: FS_LC_TEXT) { room in
            room.initialize(repeating: 0)
            let result = body(room.baseAddress)
            return (result, room.baseAddress.map { String(cString: $0) } ?? "")
        }
    }

    // MARK: configuring

    /// What libcamera made of what was asked, stream by stream.
    func configure(
        _ configuration: LibcameraConfiguration
    ) throws(LibcameraError) -> (streams: [fs_lc_stream], adjustments: [LibcameraAdjustment]) {
        var streams = configuration.streams.map { request in
            var stream = fs_lc_stream()
            stream.role = request.role.rawValue
            if let width = request.width, let height = request.height {
                (stream.width, stream.height) = (UInt32(clamping: width), UInt32(clamping: height))
            }
            if let format = request.format {
                (stream.fourcc, stream.modifier) = (format.fourcc.rawValue, format.modifier)
            }
            stream.buffers = UInt32(clamping: configuration.slots)
            return stream
        }
        let orientation = Int32(clamping: configuration.orientation ?? 0)
        let (result, text) = Self.call { fs_lc_configure(camera, &streams, streams.count, orientation, $0) }
        guard result >= 0 else { throw .cannotConfigure(id: id, reason: text, Errno(rawValue: -result)) }
        return (streams, zip(configuration.streams, streams).flatMap(Self.adjustments))
    }

    private static func adjustments(
        _ asked: LibcameraConfiguration.StreamRequest,
        _ given: fs_lc_stream
    ) -> [LibcameraAdjustment] {
        var list: [LibcameraAdjustment] = []
        func note(_ what: String, _ asked: String, _ given: String, _ stream: String) {
            if asked != given { list.append(.init(stream: stream, what: what, asked: asked, given: given)) }
        }
        if let width = asked.width, let height = asked.height {
            note("size", "\(width)x\(height)", "\(given.width)x\(given.height)", asked.name)
        }
        if let format = asked.format { note("format", format.name, Self.format(given).name, asked.name) }
        return list
    }

    private static func format(_ stream: fs_lc_stream) -> PixelFormat {
        PixelFormat(fourcc: FourCC(rawValue: stream.fourcc), modifier: stream.modifier)
    }

    func set(
        _ controls: [ControlSetting],
        known: () -> [String]
    ) throws(LibcameraError) {
        guard let camera else { return }
        for control in controls { try Self.set(control.name, control.value, on: camera, id: id, known: known) }
    }

    static func set(
        _ name: String,
        _ value: String,
        on camera: OpaquePointer,
        id: String,
        known: () -> [String]
    ) throws(LibcameraError) {
        let (result, text) = call { fs_lc_set_control(camera, name, value, $0) }
        switch -result {
        case 0: return
        case ENOENT: throw .noSuchControl(id: id, name: name, known: known())
        default: throw .badControlValue(name: name, value: value, reason: text)
        }
    }

    // MARK: buffers

    /// The images of all streams, and by slot and stream the buffers that they lie in.
    typealias Pool = (layouts: [ImageLayout], slots: [[[FrameBuffer]]])

    /// Has the driver make the buffers.
    func exported(
        _ requests: [LibcameraConfiguration.StreamRequest],
        _ streams: [fs_lc_stream]
    ) throws(LibcameraError) -> Pool {
        do throws(MemoryError) {
            let budget = MemoryBudget()
            let most = streams.map { Int($0.buffers) }.max() ?? 0
            let sizes = streams.map { Int($0.frame_size) }
            try budget.check(count: most, sizes: sizes, madeBy: "camera '\(id)'")
        } catch {
            throw .memory(error)
        }
        let count = try Self.check(id) { fs_lc_allocate(camera, $0) }
        var pool = Pool(layouts: [], slots: [])
        for slot in 0..<count {
            var row: [[FrameBuffer]] = []
            for (i, request) in requests.enumerated() {
                let image = try image(stream: i, name: request.name, slot: slot, streams[i])
                if slot == 0 { pool.layouts.append(image.layout) }
                guard image.layout == pool.layouts[i] else {
                    throw .badStreams("the buffers of '\(request.name)' are not laid out alike")
                }
                row.append(image.buffers)
            }
            pool.slots.append(row)
        }
        return pool
    }

    /// Makes the buffers of a DMA heap, and has libcamera fill them.
    func imported(
        _ requests: [LibcameraConfiguration.StreamRequest],
        _ streams: [fs_lc_stream],
        slots: Int,
        _ preference: MemoryPreference
    ) throws(LibcameraError) -> Pool {
        var pool = Pool(layouts: [], slots: Array(repeating: [], count: slots))
        for (request, stream) in zip(requests, streams) {
            do throws(ImageLayoutError) {
                pool.layouts.append(
                    try .contiguous(
                        width: Int(stream.width),
                        height: Int(stream.height),
                        format: Self.format(stream),
                        bytesPerLine: Int(stream.stride),
                        colorSpace: ColorSpace(stream)
                    )
                )
            } catch {
                throw .layout(stream: request.name, error)
            }
            do throws(MemoryError) {
                let made = try BufferAllocator(preference: preference).allocate(
                    count: slots,
                    size: max(Int(stream.frame_size), pool.layouts.last?.bufferSize(0) ?? 0),
                    name: "frameshare:\(request.name)"
                ).buffers
                for slot in 0..<slots { pool.slots[slot].append([made[slot]]) }
            } catch {
                throw .memory(error)
            }
        }
        try importPool(pool)
        return pool
    }

    private func importPool(_ pool: Pool) throws(LibcameraError) {
        let planes = pool.slots.flatMap { slot in
            zip(slot, pool.layouts).flatMap { buffers, layout in
                layout.planes.map { plane in
                    fs_lc_plane(
                        fd: buffers[plane.buffer].descriptor,
                        offset: UInt32(clamping: plane.offset),
                        length: UInt32(clamping: plane.size)
                    )
                }
            }
        }
        let counts = pool.layouts.map { UInt32($0.planes.count) }
        try Self.check(id) { fs_lc_import(camera, planes, counts, pool.slots.count, $0) }
    }

    /// A slot's image of one stream: where its planes lie, and the buffers that they lie in.
    func image(
        stream: Int,
        name: String,
        slot: Int,
        _ configured: fs_lc_stream
    ) throws(LibcameraError) -> (layout: ImageLayout, buffers: [FrameBuffer]) {
        var planes = [fs_lc_plane](repeating: fs_lc_plane(), count: FS_LC_MAX_PLANES)
        let count = fs_lc_planes(camera, stream, slot, &planes)
        guard count > 0 else {
            throw .call("a buffer has no planes", id: id, Errno(rawValue: count < 0 ? Int32(-count) : EINVAL))
        }
        // Planes may lie in one buffer, each with a descriptor of its own for it.
        var inodes: [UInt64] = []
        var buffers: [FrameBuffer] = []
        var places: [(offset: Int, size: Int, buffer: Int)] = []
        for plane in planes.prefix(Int(count)) {
            var status = stat()
            guard fstat(plane.fd, &status) == 0 else { throw .call("fstat", id: id, Errno(rawValue: errno)) }
            let inode = UInt64(status.st_ino)
            if !inodes.contains(inode) {
                inodes.append(inode)
                buffers.append(try buffer(plane.fd))
            }
            places.append((Int(plane.offset), Int(plane.length), inodes.firstIndex(of: inode) ?? 0))
        }
        do throws(ImageLayoutError) {
            let layout = try ImageLayout.placed(
                width: Int(configured.width),
                height: Int(configured.height),
                format: Self.format(configured),
                bytesPerLine: Int(configured.stride),
                places: places,
                colorSpace: ColorSpace(configured)
            )
            return (layout, buffers)
        } catch {
            throw .layout(stream: name, error)
        }
    }

    private func buffer(_ number: Int32) throws(LibcameraError) -> FrameBuffer {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .call("fcntl(F_DUPFD_CLOEXEC)", id: id, Errno(rawValue: errno)) }
        let owned = OwnedDescriptor(owning: copy)
        let end = lseek(copy, 0, Int32(SEEK_END))
        guard end > 0 else { throw .call("lseek", id: id, Errno(rawValue: errno)) }
        do throws(MemoryError) {
            return try FrameBuffer(
                adopting: owned,
                kind: .dmaBuf,
                size: Int(end),
                writeProtection: .readOnlyExport
            )
        } catch {
            throw .memory(error)
        }
    }
}

extension ColorSpace {
    /// libcamera's, whose enumerations count from 0 where these have 0 for "unknown".
    fileprivate init(_ stream: fs_lc_stream) {
        func value<T: RawRepresentable>(_ number: Int32, _ unknown: T) -> T where T.RawValue == UInt8 {
            UInt8(exactly: number + 1).flatMap(T.init(rawValue:)) ?? unknown
        }
        self.init(
            primaries: value(stream.primaries, .unknown),
            transfer: value(stream.transfer, .unknown),
            encoding: value(stream.encoding, .unknown),
            range: value(stream.range, .unknown)
        )
    }
}
