internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import PixelFormats
internal import SystemPackage

/// The buffers of a camera: made by the driver and exported, or made here for the driver to import.
struct V4L2BufferSet {
    /// By buffer, then by V4L2's plane.
    var buffers: [[FrameBuffer]]
    var memory: DriverMemory
    var kind: MemoryKind
    var source: String
    var writeProtection: WriteProtection
    var notes: [String] = []
    var report: AllocationReport?

    /// Makes the driver allocate, and takes a DMA buffer of each plane, read-only where it gives such.
    static func exported(
        _ device: V4L2Device,
        format: DriverFormat,
        count: Int
    ) throws(V4L2Error) -> V4L2BufferSet {
        let sizes = format.planes.map(\.sizeImage)
        do throws(MemoryError) {
            try MemoryBudget().check(count: count, sizes: sizes, madeBy: "the driver of \(device.path)")
        } catch {
            throw .memory(error)
        }
        let given: Int
        do throws(V4L2Error) {
            given = try device.requestBuffers(count, .mmap)
        } catch {
            guard case .call(_, _, _, .noMemory) = error else { throw error }
            let asked = sizes.reduce(0) { $0 &+ $1 &* count }
            throw .memory(.outOfMemory(asked: asked, source: "the driver of \(device.path)"))
        }
        guard given > 0 else { throw .tooFewBuffers(path: device.path, asked: count, given: given) }
        var set = V4L2BufferSet(
            buffers: [],
            memory: .mmap,
            kind: .dmaBuf,
            source: "\(device.info.driver) (VIDIOC_EXPBUF)",
            writeProtection: .readOnlyExport
        )
        for index in 0..<given {
            let lengths = try device.planeLengths(buffer: index, .mmap, planes: format.planes.count)
            var planes: [FrameBuffer] = []
            for (plane, length) in lengths.enumerated() {
                planes.append(try set.export(device, buffer: index, plane: plane, length: length))
            }
            set.buffers.append(planes)
        }
        return set
    }

    private mutating func export(
        _ device: V4L2Device,
        buffer: Int,
        plane: Int,
        length: Int
    ) throws(V4L2Error) -> FrameBuffer {
        var number: Int32 = -EACCES
        var refusal: Int32 = 0
        if writeProtection == .readOnlyExport {
            number = device.exportPlane(buffer: buffer, plane: plane, readOnly: true)
            refusal = -number
        }
        if number < 0, number != -ENODEV, number != -EMFILE, number != -ENFILE {
            number = device.exportPlane(buffer: buffer, plane: plane, readOnly: false)
            if number >= 0, writeProtection == .readOnlyExport {
                writeProtection = .none
                notes.append(
                    "the driver exports no read-only buffers (\(Errno(rawValue: refusal))): readers could write to them"
                )
            }
        }
        guard number >= 0 else {
            switch -number {
            case ENODEV: throw .unplugged(path: device.path, card: device.info.card)
            case EMFILE, ENFILE:
                throw .call("VIDIOC_EXPBUF", path: device.path, value: "buffer \(buffer)", Errno(rawValue: -number))
            default:
                throw .cannotExport(
                    path: device.path,
                    Errno(rawValue: -number),
                    imports: device.importsBuffers()
                )
            }
        }
        do throws(MemoryError) {
            return try FrameBuffer(
                adopting: OwnedDescriptor(owning: number),
                kind: .dmaBuf,
                size: length,
                writeProtection: writeProtection
            )
        } catch {
            throw .memory(error)
        }
    }

    /// Allocates DMA buffers and tells the driver how many will come. It sees them when they are queued.
    static func imported(
        _ device: V4L2Device,
        format: DriverFormat,
        count: Int,
        from preference: MemoryPreference
    ) throws(V4L2Error) -> V4L2BufferSet {
        // 32 is V4L2's limit (VIDEO_MAX_FRAME); a driver may want more than was asked.
        let given = try requestImport(device, count)
        var set = V4L2BufferSet(
            buffers: Array(repeating: [], count: given),
            memory: .dmaBuf,
            kind: .dmaBuf,
            source: "",
            writeProtection: .none
        )
        let allocator = BufferAllocator(preference: preference)
        for (plane, size) in format.planes.map(\.sizeImage).enumerated() {
            let made: (buffers: [FrameBuffer], report: AllocationReport)
            do throws(MemoryError) {
                let name = format.planes.count == 1 ? "camera" : "camera-plane\(plane)"
                made = try allocator.allocate(count: given, size: MemoryPage.roundedUp(size) ?? size, name: name)
            } catch {
                throw .memory(error)
            }
            guard made.report.kind.isDMABuf else {
                throw .notADMABuffer(path: device.path, source: made.report.source)
            }
            set.kind = made.report.kind
            set.source = made.report.source
            if plane == 0 {
                set.notes = made.report.notes
                set.report = made.report
            }
            for (index, buffer) in made.buffers.enumerated() {
                set.writeProtection = buffer.writeProtection
                set.buffers[index].append(buffer)
            }
        }
        return set
    }

    private static func requestImport(_ device: V4L2Device, _ count: Int) throws(V4L2Error) -> Int {
        do throws(V4L2Error) {
            let given = try device.requestBuffers(count, .dmaBuf)
            guard given > 0 else { throw .tooFewBuffers(path: device.path, asked: count, given: given) }
            return given
        } catch {
            if case .call(_, _, _, let errno) = error, errno.rawValue == EINVAL {
                throw .cannotImport(
                    path: device.path,
                    source: "other programs",
                    errno,
                    exports: device.exportsBuffers()
                )
            }
            throw error
        }
    }

    /// A buffer as `VIDIOC_QBUF` gets it.
    func flat(_ index: Int, _ device: V4L2Device) -> fs_v4l2_buffer {
        var flat = device.flatBuffer(memory, planes: buffers[index].count)
        flat.index = UInt32(clamping: index)
        withUnsafeMutableBytes(of: &flat.fd) { bytes in
            let numbers = bytes.bindMemory(to: Int32.self)
            for (plane, buffer) in buffers[index].enumerated() { numbers[plane] = buffer.descriptor }
        }
        withUnsafeMutableBytes(of: &flat.length) { bytes in
            let lengths = bytes.bindMemory(to: UInt32.self)
            for (plane, buffer) in buffers[index].enumerated() { lengths[plane] = UInt32(clamping: buffer.size) }
        }
        return flat
    }

    /// The bytes before the pixels of each plane.
    func dataOffsets(_ device: V4L2Device) throws(V4L2Error) -> [Int] {
        do throws(V4L2Error) {
            return try device.dataOffsets(flat(0, device))
        } catch {
            throw importError(error, device)
        }
    }

    /// What it means that a buffer can't be queued.
    func importError(_ error: V4L2Error, _ device: V4L2Device) -> V4L2Error {
        guard memory == .dmaBuf, case .call("VIDIOC_QBUF", _, _, let errno) = error else { return error }
        return .cannotImport(path: device.path, source: source, errno, exports: device.exportsBuffers())
    }
}
