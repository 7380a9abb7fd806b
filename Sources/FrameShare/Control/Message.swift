// The control protocol: one SOCK_SEQPACKET message each, header (magic, version, type) and body.
//
//   subscriber                          publisher
//   hello  ------------------------->
//          <-------------------------   refused  (text)                             or
//          <-------------------------   madeWay  (nothing was said yet: connect again)  or
//          <-------------------------   welcome  (fds: channel page, the user's wake page)
//          <-------------------------   generation (fds: frame table, lane), buffers (fds) ...
//   ready  ------------------------->
//          <-------------------------   generation, buffers ...    at each reconfiguration
//          <-------------------------   wake                       an armed event loop has something to take
//   slotReleased ------------------->   when the channel page asks for it
//   reply  ------------------------->   what a member of a group says of a frame (fd: a large one's bytes)
//          <-------------------------   cancel                     a member's answer to a frame is not wanted any more
//   goodbye ------------------------>   ended
//
// A monitor says hello as such, gets welcome, and then a statistics message for each statisticsRequest, and a
// controlsAnswer, in its own time and with the same number, for each controlsQuery.

/// A control message.
enum Message: Equatable {
    /// The version that both sides must speak.
    static let version: UInt16 = 3
    static let magic: UInt32 = 0x5253_4d46  // "FMSR"
    static let headerSize = 8
    /// The largest that is ever sent.
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
    }

    struct Welcome: Equatable {
        var subscriber: UInt32
        var publisherPID: Int32
        var channel: String
        var sourceName: String
    }

    /// A generation as one subscriber is given it: its streams only.
    struct GenerationOffer: Equatable {
        var generation: UInt32
        var slots: Int
        /// How many of the slots, the last, are for copies: in ordinary memory, whatever the streams' is.
        var copySlots = 0
        var copyProtection = WriteProtection.none
        var depth: Int
        var recordStride: Int
        var metadataCapacity: Int
        var streams: [StreamOffer]

        /// The first slot that is for copies; `slots` where there is none.
        var firstCopy: Int { slots - copySlots }

        /// The descriptors that follow in `buffers` messages: slot by slot, in it stream by stream.
        var descriptorCount: Int { slots * streams.reduce(0) { $0 + $1.stream.layout.bufferCount } }
    }

    struct StreamOffer: Equatable {
        var stream: Stream
        /// The stream's place in the channel, from 0: where its numbers stand in a frame record.
        var index: Int
        var memory: MemoryKind
        var protection: WriteProtection
        /// The size of each of its buffers, in bytes.
        var bufferSizes: [Int]
    }

    /// Why a subscription ended.
    enum End: Equatable {
        case closed
        case sourceFailed(String)
        case disconnected(String)
    }

    fileprivate var type: UInt16 {
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
        }
    }
}

// MARK: writing

extension Message {
    /// The message as bytes.
    var encoded: [UInt8] {
        var w = WireWriter()
        w.put(Self.magic)
        w.put(Self.version)
        w.put(type)
        switch self {
        case .hello(let m):
            w.put(m.role.rawValue)
            w.put(m.name)
            w.put(policy: m.request.policy)
            w.put(m.request.budget)
            w.put(m.request.reserved)
            w.put(m.pollable)
            w.put(m.group)
            w.put(UInt8(clamping: m.streams.count))
            for name in m.streams { w.put(name) }
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
            w.put(m.recordStride)
            w.put(m.metadataCapacity)
            w.put(UInt8(clamping: m.streams.count))
            for stream in m.streams { w.put(stream) }
        case .buffers(let generation, let first, let count):
            w.put(generation)
            w.put(first)
            w.put(count)
        case .ready(let generation): w.put(generation)
        case .slotReleased, .wake, .statisticsRequest, .goodbye, .madeWay: break
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
        return w.bytes
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
        put(UInt8(clamping: layout.planes.count))
        for plane in layout.planes {
            put(plane.offset)
            put(plane.stride)
            put(plane.size)
            put(plane.buffer)
        }
    }

    mutating func put(_ colorSpace: ColorSpace) {
        put(colorSpace.primaries.rawValue)
        put(colorSpace.transfer.rawValue)
        put(colorSpace.encoding.rawValue)
        put(colorSpace.range.rawValue)
    }

    mutating func put(_ offer: Message.StreamOffer) {
        put(offer.stream)
        put(offer.index)
        put(offer.memory.rawValue)
        put(offer.protection.rawValue)
        put(UInt8(clamping: offer.bufferSizes.count))
        for size in offer.bufferSizes { put(size) }
    }
}

// MARK: reading

extension Message {
    /// What is wrong with bytes that claim to be a message.
    enum ReadError: Error, Equatable {
        case notAMessage
        case version(UInt16)
        case malformed(String)
    }

    /// Reads a message; throws for anything that is not exactly one.
    init(bytes: ArraySlice<UInt8>) throws(ReadError) {
        var r = WireReader(bytes)
        let header: (magic: UInt32, version: UInt16, type: UInt16)
        do throws(WireError) {
            header = (try r.integer(), try r.integer(), try r.integer())
        } catch {
            throw .notAMessage
        }
        guard header.magic == Self.magic else { throw .notAMessage }
        guard header.version == Self.version else { throw .version(header.version) }
        do throws(WireError) {
            self = try Self.body(header.type, &r)
            try r.expectEnd()
        } catch {
            throw .malformed("type \(header.type): \(error.text)")
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
            let count = Int(try r.integer(UInt8.self))
            guard count <= Stream.maximumCount else { throw WireError(text: "\(count) streams") }
            var streams: [String] = []
            for _ in 0..<count { streams.append(try r.text()) }
            return .hello(
                Hello(
                    role: role,
                    name: name,
                    request: LeaseRequest(policy: policy, budget: budget, reserved: reserved),
                    pollable: pollable,
                    group: group,
                    streams: streams
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
        let planeCount = Int(try integer(UInt8.self))
        guard (1...4).contains(planeCount) else { throw WireError(text: "\(planeCount) planes") }
        var planes: [PlaneLayout] = []
        for _ in 0..<planeCount {
            planes.append(
                PlaneLayout(
                    offset: try count(atMost: 1 << 40),
                    stride: try count(atMost: 1 << 32),
                    size: try count(atMost: 1 << 40),
                    buffer: try count(atMost: 3)
                )
            )
        }
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

    mutating func generation() throws(WireError) -> Message.GenerationOffer {
        let generation: UInt32 = try integer()
        let slots = try count(atMost: SlotSet.capacity)
        let copySlots = try count(atMost: SlotSet.capacity)
        guard let copyProtection = WriteProtection(rawValue: try integer()) else {
            throw WireError(text: "unknown memory")
        }
        let depth = try count(atMost: LaneMemory.maximumDepth)
        let recordStride = try count(atMost: FrameTable.maximumRecordStride)
        let metadataCapacity = try count(atMost: FrameTable.maximumMetadataCapacity)
        let streamCount = Int(try integer(UInt8.self))
        guard slots >= 1, copySlots < slots, depth >= 1, (1...Stream.maximumCount).contains(streamCount),
            recordStride >= FrameTable.recordSize + metadataCapacity, recordStride % 8 == 0
        else { throw WireError(text: "impossible pool") }
        var streams: [Message.StreamOffer] = []
        for _ in 0..<streamCount {
            let stream = try stream()
            let index = try count(atMost: Stream.maximumCount - 1)
            guard let memory = MemoryKind(rawValue: try integer()),
                let protection = WriteProtection(rawValue: try integer())
            else { throw WireError(text: "unknown memory") }
            let count = Int(try integer(UInt8.self))
            guard count == stream.layout.bufferCount else { throw WireError(text: "\(count) buffers") }
            var sizes: [Int] = []
            for i in 0..<count {
                let size = try self.count(atMost: 1 << 40)
                guard size >= stream.layout.bufferSize(i), size > 0 else {
                    throw WireError(text: "buffer smaller than its layout")
                }
                sizes.append(size)
            }
            streams.append(
                .init(stream: stream, index: index, memory: memory, protection: protection, bufferSizes: sizes)
            )
        }
        return Message.GenerationOffer(
            generation: generation,
            slots: slots,
            copySlots: copySlots,
            copyProtection: copyProtection,
            depth: depth,
            recordStride: recordStride,
            metadataCapacity: metadataCapacity,
            streams: streams
        )
    }
}
