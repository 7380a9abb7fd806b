// The control protocol: one SOCK_SEQPACKET message each, header (magic, major and minor version, type, size) and body.
// How it may change: CONTRIBUTING.md, "How the protocol may change".
//
//   subscriber                          publisher
//   hello  ------------------------->
//   takesStartup ------------------->   frames of the source's start-up are wanted, too (3.2)
//          <-------------------------   refused  (text)                             or
//          <-------------------------   madeWay  (nothing was said yet: connect again)  or
//          <-------------------------   welcome  (fds: channel page, the user's wake page)
//          <-------------------------   generation (fds: frame table, lane), places (fds), buffers (fds) ...
//   ready  ------------------------->
//          <-------------------------   generation, places, buffers ...    at each reconfiguration
//          <-------------------------   wake                       an armed event loop has something to take
//          <-------------------------   trouble                    what is amiss with the source, or that nothing is (3.2)
//   slotReleased ------------------->   when the channel page asks for it
//   reply  ------------------------->   what a member of a group says of a frame (fd: a large one's bytes)
//          <-------------------------   cancel                     a member's answer to a frame is not wanted any more
//   keyframeWanted ----------------->   of a channel of packets: the next one, please
//   goodbye ------------------------>   ended
//
// A monitor says hello as such, gets welcome, and then a statistics message for each statisticsRequest, and a
// controlsAnswer, in its own time and with the same number, for each controlsQuery.

internal import LeaseProtocol

/// A control message.
enum Message: Equatable {
    /// Its magic and the two bytes of the version after it are the same in every version: each side can tell who is older.
    static let magic: UInt32 = 0x5253_4d46  // "FMSR"
    static let headerSize = 12
    /// The largest that is ever sent, in any minor version.
    static let maximumSize = 128 * 1024
    /// The most descriptors of one message: the kernel's SCM_MAX_FD is 253.
    static let maximumDescriptors = 250

    case hello(Hello)
    case welcome(Welcome)
    case refused(String)
    /// The connection had said nothing yet and made way for others of its user. Whoever means well connects again.
    case madeWay
    case generation(GenerationOffer)
    case buffers(generation: UInt32, first: Int, count: Int)
    /// Where the buffers of a generation lie, before its `buffers`; with the first of its descriptors. Not sent where each
    /// buffer has a descriptor of its own.
    case places(generation: UInt32, BufferPlaces)
    case ready(generation: UInt32)
    case slotReleased
    case wake
    case statisticsRequest
    case statistics(ChannelStatistics)
    case ended(End)
    case goodbye
    case reply(WorkerReply)
    case cancel(frame: UInt64)
    case controlsQuery(number: UInt32, ControlsQuery)
    case controlsAnswer(number: UInt32, ControlsAnswer)
    /// The subscriber wants the frames of the source's start-up, too. Since 3.2.
    case takesStartup
    /// What is amiss with the source, in its own words; empty: nothing any more. Since 3.2.
    case trouble(String)
    /// A reader of packets can begin at a keyframe only, and asks for one. Since 3.2.
    case keyframeWanted

    enum Role: UInt8 {
        case subscriber = 0
        case monitor = 1
    }

    struct Hello: Equatable {
        var role: Role
        var name: String
        var request: LeaseRequest
        var pollable: Bool
        /// The group that it joins; empty: none.
        var group = ""
        /// Empty: all.
        var streams: [String]
        /// The time between two frames that it asks for, in ns; 0: it asks for all.
        var interval: Int64 = 0
    }

    struct Welcome: Equatable {
        var subscriber: UInt32
        var publisherPID: Int32
        var channel: String
        var sourceName: String
    }

    /// Why a subscription ended.
    enum End: Equatable {
        case closed
        case sourceFailed(String)
        case disconnected(String)
    }

    /// Types are numbered from 1 to this.
    private static let lastType: UInt16 = 21
    private var type: UInt16 {
        switch self {
        case .hello: 1
        case .welcome: 2
        case .refused: 3
        case .generation: 4
        case .buffers: 5
        case .ready: 6
        case .slotReleased: 7
        case .wake: 8
        case .statisticsRequest: 9
        case .statistics: 10
        case .ended: 11
        case .goodbye: 12
        case .reply: 13
        case .cancel: 14
        case .controlsQuery: 15
        case .controlsAnswer: 16
        case .madeWay: 17
        case .places: 18
        case .takesStartup: 19
        case .trouble: 20
        case .keyframeWanted: 21
        }
    }
}

// MARK: writing

extension Message {
    /// The message as bytes.
    var encoded: [UInt8] {
        var w = WireWriter()
        w.put(Self.magic)
        w.put(ProtocolVersion.current.major)
        w.put(ProtocolVersion.current.minor)
        w.put(type)
        w.putRecord(putBody)
        return w.bytes
    }

    private func putBody(_ w: inout WireWriter) {
        switch self {
        case .hello(let m):
            w.put(m.role.rawValue)
            w.put(m.name)
            w.put(policy: m.request.policy)
            w.put(m.request.budget)
            w.put(m.request.reserved)
            w.put(m.pollable)
            w.put(m.group)
            w.put(names: m.streams)
            w.put(m.interval)
        case .welcome(let m):
            w.put(m.subscriber)
            w.put(m.publisherPID)
            w.put(m.channel)
            w.put(m.sourceName)
        case .refused(let text): w.put(text)
        case .generation(let m):
            w.put(m.generation)
            w.put(m.slots)
            w.put(m.copySlots)
            w.put(m.copyProtection.rawValue)
            w.put(m.depth)
            w.put(m.laneSize)
            w.put(m.tableHeaderSize)
            w.put(m.recordSize)
            w.put(m.recordStride)
            w.put(m.metadataCapacity)
            w.put(records: m.streams) { $0.put($1) }
        case .buffers(let generation, let first, let count):
            w.put(generation)
            w.put(first)
            w.put(count)
        case .places(let generation, let places):
            w.put(generation)
            w.put(places)
        case .ready(let generation): w.put(generation)
        case .slotReleased, .wake, .statisticsRequest, .goodbye, .madeWay, .takesStartup, .keyframeWanted: break
        case .trouble(let text): w.put(text)
        case .statistics(let m): w.put(m)
        case .ended(let end):
            switch end {
            case .closed:
                w.put(UInt8(0))
                w.put("")
            case .sourceFailed(let text):
                w.put(UInt8(1))
                w.put(text)
            case .disconnected(let text):
                w.put(UInt8(2))
                w.put(text)
            }
        case .reply(let m): w.put(m)
        case .cancel(let frame): w.put(frame)
        case .controlsQuery(let number, let query):
            w.put(number)
            w.put(query)
        case .controlsAnswer(let number, let answer):
            w.put(number)
            w.put(answer)
        }
    }
}

extension WireWriter {
    mutating func put(policy: Policy) {
        switch policy {
        case .latest:
            put(UInt8(0))
            put(0)
        case .queue(let depth):
            put(UInt8(1))
            put(depth)
        case .everyFrame:
            put(UInt8(2))
            put(0)
        }
    }

    mutating func put(_ stream: Stream) {
        put(stream.name)
        let layout = stream.layout
        put(layout.width)
        put(layout.height)
        put(layout.format.fourcc.rawValue)
        put(layout.format.modifier)
        put(layout.colorSpace)
        put(records: layout.planes) { w, plane in
            w.put(plane.offset)
            w.put(plane.stride)
            w.put(plane.size)
            w.put(plane.buffer)
        }
    }

    mutating func put(_ colorSpace: ColorSpace) {
        put(colorSpace.primaries.rawValue)
        put(colorSpace.transfer.rawValue)
        put(colorSpace.encoding.rawValue)
        put(colorSpace.range.rawValue)
    }

    mutating func put(_ offer: StreamOffer) {
        putRecord { $0.put(offer.stream) }
        put(offer.index)
        put(offer.memory.rawValue)
        put(offer.protection.rawValue)
        put(records: offer.bufferSizes) { $0.put($1) }
    }
}

// MARK: reading

extension Message {
    /// What is wrong with bytes that claim to be a message.
    enum ReadError: Error, Equatable {
        case notAMessage
        /// Of another major version.
        case version(ProtocolVersion)
        case unknownType(UInt16, ProtocolVersion)
        case malformed(String, ProtocolVersion)

        /// The sender is of a newer minor version, and says something that came with it.
        var isOfNewerType: Bool {
            if case .unknownType(_, let theirs) = self { theirs > .current } else { false }
        }

        /// For people. It says which side is older, where one is.
        func text(reader: String, sender: String) -> String {
            func comparison(_ theirs: ProtocolVersion) -> String {
                ProtocolVersion.comparison(of: reader, with: sender, theirs)
            }
            func text(_ fault: String, _ theirs: ProtocolVersion) -> String {
                "malformed message: \(fault)" + (theirs == .current ? "" : "; \(comparison(theirs))")
            }
            return switch self {
            case .notAMessage: "it does not speak FrameShare"
            case .version(let theirs): comparison(theirs)
            case .unknownType(let type, let theirs): text("unknown type \(type)", theirs)
            case .malformed(let fault, let theirs): text(fault, theirs)
            }
        }
    }

    /// The version of a message's sender, once it could be read.
    static func version(ofRead bytes: ArraySlice<UInt8>) -> ProtocolVersion {
        ProtocolVersion(major: bytes[bytes.startIndex + 4], minor: bytes[bytes.startIndex + 5])
    }

    /// Reads a message; throws for anything that is not exactly one. What a newer minor version has put at the end of the
    /// message, or of a record in it, is skipped.
    init(bytes: ArraySlice<UInt8>) throws(ReadError) {
        var r = WireReader(bytes)
        let (magic, version): (UInt32, ProtocolVersion)
        do throws(WireError) {
            magic = try r.integer()
            version = ProtocolVersion(major: try r.integer(), minor: try r.integer())
        } catch {
            throw .notAMessage
        }
        guard magic == Self.magic else { throw .notAMessage }
        guard version.major == ProtocolVersion.current.major else { throw .version(version) }
        guard let type = try? r.integer(UInt16.self) else { throw .notAMessage }
        guard (1...Self.lastType).contains(type) else { throw .unknownType(type, version) }
        do throws(WireError) {
            self = try r.record { r throws(WireError) in try Self.body(type, &r) }
            try r.expectEnd()
        } catch {
            throw .malformed("type \(type): \(error.text)", version)
        }
    }

    private static func body(_ type: UInt16, _ r: inout WireReader) throws(WireError) -> Message {
        switch type {
        case 1:
            guard let role = Role(rawValue: try r.integer()) else { throw WireError(text: "unknown role") }
            let name = try r.text()
            let policy = try r.policy()
            let budget = try r.count(atMost: SlotSet.capacity)
            let reserved = try r.bool()
            let pollable = try r.bool()
            let group = try r.text()
            let streams = try r.names()
            guard streams.count <= Stream.maximumCount else { throw WireError(text: "\(streams.count) streams") }
            // From 3.2 on.
            let interval: Int64 = r.isAtEnd ? 0 : try r.integer()
            guard interval == 0 || Thinning.intervals.contains(interval) else {
                throw WireError(text: "frames every \(interval) ns can't be asked for")
            }
            return .hello(
                Hello(
                    role: role,
                    name: name,
                    request: LeaseRequest(policy: policy, budget: budget, reserved: reserved),
                    pollable: pollable,
                    group: group,
                    streams: streams,
                    interval: interval
                )
            )
        case 2:
            return .welcome(
                Welcome(
                    subscriber: try r.integer(),
                    publisherPID: try r.integer(),
                    channel: try r.text(),
                    sourceName: try r.text()
                )
            )
        case 3: return .refused(try r.text())
        case 4: return .generation(try r.generation())
        case 5:
            return .buffers(
                generation: try r.integer(),
                first: try r.count(atMost: 1 << 20),
                count: try r.count(atMost: maximumDescriptors)
            )
        case 6: return .ready(generation: try r.integer())
        case 7: return .slotReleased
        case 8: return .wake
        case 9: return .statisticsRequest
        case 10: return .statistics(try r.statistics())
        case 11:
            let kind: UInt8 = try r.integer()
            let text = try r.text()
            switch kind {
            case 0: return .ended(.closed)
            case 1: return .ended(.sourceFailed(text))
            case 2: return .ended(.disconnected(text))
            default: throw WireError(text: "unknown end \(kind)")
            }
        case 12: return .goodbye
        case 13: return .reply(try r.workerReply())
        case 14: return .cancel(frame: try r.integer())
        case 15: return .controlsQuery(number: try r.integer(), try r.controlsQuery())
        case 16: return .controlsAnswer(number: try r.integer(), try r.controlsAnswer())
        case 17: return .madeWay
        case 18: return .places(generation: try r.integer(), try r.places())
        case 19: return .takesStartup
        case 20: return .trouble(try r.text())
        case 21: return .keyframeWanted
        default: throw WireError(text: "unknown type")
        }
    }
}

extension WireReader {
    mutating func policy() throws(WireError) -> Policy {
        let kind: UInt8 = try integer()
        let depth = try count(atMost: LaneMemory.maximumDepth)
        switch kind {
        case 0: return .latest
        case 1: return .queue(depth)
        case 2: return .everyFrame
        default: throw WireError(text: "unknown policy \(kind)")
        }
    }

    mutating func stream() throws(WireError) -> Stream {
        let name = try text()
        guard Stream.isValidName(name) else { throw WireError(text: "bad stream name") }
        let width = try count(atMost: 1 << 16)
        let height = try count(atMost: 1 << 16)
        let format = PixelFormat(fourcc: FourCC(rawValue: try integer()), modifier: try integer())
        let colorSpace = try colorSpace()
        let planes = try records(atMost: 4, "planes") { r throws(WireError) in
            PlaneLayout(
                offset: try r.count(atMost: 1 << 40),
                stride: try r.count(atMost: 1 << 32),
                size: try r.count(atMost: 1 << 40),
                buffer: try r.count(atMost: 3)
            )
        }
        guard !planes.isEmpty else { throw WireError(text: "0 planes") }
        let layout = ImageLayout(width: width, height: height, format: format, colorSpace: colorSpace, planes: planes)
        do throws(ImageLayoutError) {
            try layout.validate()
        } catch {
            throw WireError(text: "layout of '\(name)': \(error)")
        }
        return Stream(name: name, layout: layout)
    }

    private mutating func colorSpace() throws(WireError) -> ColorSpace {
        guard let primaries = ColorSpace.Primaries(rawValue: try integer()),
            let transfer = ColorSpace.Transfer(rawValue: try integer()),
            let encoding = ColorSpace.Encoding(rawValue: try integer()),
            let range = ColorSpace.Range(rawValue: try integer())
        else { throw WireError(text: "unknown colour space") }
        return ColorSpace(primaries: primaries, transfer: transfer, encoding: encoding, range: range)
    }

    mutating func generation() throws(WireError) -> GenerationOffer {
        let generation: UInt32 = try integer()
        let slots = try count(atMost: SlotSet.capacity)
        let copySlots = try count(atMost: SlotSet.capacity)
        guard let copyProtection = WriteProtection(rawValue: try integer()) else {
            throw WireError(text: "unknown memory")
        }
        let depth = try count(atMost: LaneMemory.maximumDepth)
        let laneSize = try count(atMost: GenerationOffer.maximumLaneSize)
        let tableHeaderSize = try count(atMost: FrameTable.maximumPartSize)
        let recordSize = try count(atMost: FrameTable.maximumPartSize)
        let recordStride = try count(atMost: FrameTable.maximumRecordStride)
        let metadataCapacity = try count(atMost: FrameTable.maximumMetadataCapacity)
        guard slots >= 1, copySlots < slots, depth >= 1, laneSize >= LaneMemory.size(depth: depth),
            tableHeaderSize >= FrameTable.headerSize, tableHeaderSize % 8 == 0,
            recordSize >= FrameTable.recordSize, recordSize % 8 == 0,
            recordStride >= recordSize + metadataCapacity, recordStride % 8 == 0
        else { throw WireError(text: "impossible pool") }
        let streams = try records(atMost: Stream.maximumCount, "streams") { r throws(WireError) in
            try r.streamOffer()
        }
        guard !streams.isEmpty else { throw WireError(text: "0 streams") }
        return GenerationOffer(
            generation: generation,
            slots: slots,
            copySlots: copySlots,
            copyProtection: copyProtection,
            depth: depth,
            laneSize: laneSize,
            tableHeaderSize: tableHeaderSize,
            recordSize: recordSize,
            recordStride: recordStride,
            metadataCapacity: metadataCapacity,
            streams: streams
        )
    }

    private mutating func streamOffer() throws(WireError) -> StreamOffer {
        let stream = try record { r throws(WireError) in try r.stream() }
        let index = try count(atMost: Stream.maximumCount - 1)
        guard let memory = MemoryKind(rawValue: try integer()),
            let protection = WriteProtection(rawValue: try integer())
        else { throw WireError(text: "unknown memory") }
        let sizes = try records(atMost: 4, "buffers") { r throws(WireError) in try r.count(atMost: 1 << 40) }
        guard sizes.count == stream.layout.bufferCount else { throw WireError(text: "\(sizes.count) buffers") }
        for (i, size) in sizes.enumerated() where size < stream.layout.bufferSize(i) || size == 0 {
            throw WireError(text: "buffer smaller than its layout")
        }
        return .init(stream: stream, index: index, memory: memory, protection: protection, bufferSizes: sizes)
    }
}

// MARK: places

extension WireWriter {
    mutating func put(_ places: BufferPlaces) {
        put(places.descriptorCount)
        put(records: places.runs) { w, buffers in
            w.put(records: buffers) { w, runs in
                w.put(records: runs) { w, run in
                    w.put(run.slots)
                    w.put(run.descriptor)
                    w.put(run.descriptorStep)
                    w.put(run.offset)
                    w.put(run.stride)
                }
            }
        }
    }
}

extension WireReader {
    mutating func places() throws(WireError) -> BufferPlaces {
        let descriptorCount = try count(atMost: BufferPlaces.maximumDescriptors)
        let runs = try records(atMost: Stream.maximumCount, "streams") { r throws(WireError) in
            try r.records(atMost: 4, "buffers") { r throws(WireError) in
                try r.records(atMost: BufferPlaces.maximumRuns, "runs") { r throws(WireError) in
                    BufferPlaces.Run(
                        slots: try r.count(atMost: SlotSet.capacity),
                        descriptor: try r.count(atMost: BufferPlaces.maximumDescriptors),
                        descriptorStep: try r.count(atMost: BufferPlaces.maximumDescriptors),
                        offset: try r.count(atMost: 1 << 50),
                        stride: try r.count(atMost: 1 << 50)
                    )
                }
            }
        }
        return BufferPlaces(descriptorCount: descriptorCount, runs: runs)
    }
}
