// What a monitor is told of a channel.

internal import FrameMemory

extension WireWriter {
    mutating func put<Of>(figures: [Figure<Of>], of: Of) {
        put(UInt16(clamping: figures.count))
        for figure in figures { put(UInt64(truncatingIfNeeded: figure.value(of))) }
    }
}

extension WireReader {
    /// Those that the sender lacks stay as they are; those that it has more are skipped.
    mutating func figures<Of>(_ figures: [Figure<Of>], into of: inout Of) throws(WireError) {
        for place in 0..<Int(try integer(UInt16.self)) {
            let bits: UInt64 = try integer()
            guard place < figures.count else { continue }
            guard figures[place].put(bits, into: &of) else {
                throw WireError(text: "\(figures[place].name) \(bits) is not in its range")
            }
        }
    }
}

extension WireWriter {
    mutating func put(_ s: ChannelStatistics) {
        put(s.channel)
        put(s.sourceName)
        put(s.publisherPID)
        put(s.publisherUID)
        put(records: s.streams) { w, stream in
            w.putRecord { $0.put(stream.stream) }
            w.put(stream.memory.rawValue)
            w.put(stream.protection.rawValue)
        }
        put(figures: ChannelStatistics.figures, of: s)
        put(s.copies != nil)
        if let copies = s.copies { putRecord { $0.put(figures: ChannelStatistics.CopyStatus.figures, of: copies) } }
        put(records: s.subscribers) { $0.put($1) }
        put(records: s.groups) { w, group in
            w.put(group.name)
            w.put(figures: ChannelStatistics.GroupStatus.figures, of: group)
        }
        put(s.sourceTrouble)
    }

    private mutating func put(_ s: ChannelStatistics.SubscriberStatus) {
        put(s.id)
        put(s.pid)
        put(s.uid)
        put(s.name)
        put(policy: s.policy)
        put(s.group)
        put(names: s.streams)
        put(figures: ChannelStatistics.SubscriberStatus.figures, of: s)
    }
}

extension WireReader {
    mutating func statistics() throws(WireError) -> ChannelStatistics {
        var s = ChannelStatistics(channel: try text())
        s.sourceName = try text()
        s.publisherPID = try integer()
        s.publisherUID = try integer()
        s.streams = try records(atMost: 255, "streams") { r throws(WireError) in
            let stream = try r.record { r throws(WireError) in try r.stream() }
            guard let memory = MemoryKind(rawValue: try r.integer()),
                let protection = WriteProtection(rawValue: try r.integer())
            else { throw WireError(text: "unknown memory") }
            return ChannelStatistics.StreamStatus(stream: stream, memory: memory, protection: protection)
        }
        try figures(ChannelStatistics.figures, into: &s)
        if try bool() {
            s.copies = try record { r throws(WireError) in
                var copies = ChannelStatistics.CopyStatus()
                try r.figures(ChannelStatistics.CopyStatus.figures, into: &copies)
                return copies
            }
        }
        s.subscribers = try records(atMost: 65535, "subscribers") { r throws(WireError) in try r.subscriber() }
        s.groups = try records(atMost: 65535, "groups") { r throws(WireError) in
            var group = ChannelStatistics.GroupStatus(name: try r.text())
            try r.figures(ChannelStatistics.GroupStatus.figures, into: &group)
            return group
        }
        s.sourceTrouble = try text()
        return s
    }

    private mutating func subscriber() throws(WireError) -> ChannelStatistics.SubscriberStatus {
        var s = ChannelStatistics.SubscriberStatus()
        s.id = try integer()
        s.pid = try integer()
        s.uid = try integer()
        s.name = try text()
        s.policy = try policy()
        s.group = try text()
        s.streams = try names()
        try figures(ChannelStatistics.SubscriberStatus.figures, into: &s)
        return s
    }
}
