internal import FrameShare
internal import FrameShareCHeader

// Sources that run on demand, and the owners of sources.

@c @implementation
public func frameshare_publisher_wait_for_demand(_ publisher: OpaquePointer!, _ timeout: Int64) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        try translating { () throws(ChannelError) in
            try publisher.waitForDemandBlocking(timeout: duration(timeout))
        }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_wait_for_no_demand(
    _ publisher: OpaquePointer!,
    _ linger: Int64,
    _ timeout: Int64
) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        try translating { () throws(ChannelError) in
            try publisher.waitForNoDemandBlocking(linger: .nanoseconds(max(0, linger)), timeout: duration(timeout))
        }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_set_source_trouble(
    _ publisher: OpaquePointer!,
    _ text: UnsafePointer<CChar>!
) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        publisher.setSourceTrouble(optionalText(text) ?? "")
        return ok
    }
}

@c @implementation
public func frameshare_subscriber_source_trouble(
    _ subscriber: OpaquePointer!,
    _ text: UnsafeMutablePointer<CChar>!,
    _ size: Int
) -> Int32 {
    answer { () throws(Failure) in
        try write(try handles.subscribers.object(subscriber).sourceTrouble, to: text, size: size, needed: nil)
        return ok
    }
}

@c @implementation
public func frameshare_source_channel(
    _ source: UnsafePointer<CChar>!,
    _ directory: UnsafePointer<CChar>!,
    _ timeout: Int64,
    _ channel: UnsafeMutablePointer<CChar>!,
    _ size: Int
) -> Int32 {
    answer { () throws(Failure) in
        var owner = SourceOwner(directory: channelDirectory(directory))
        if timeout != 0 { owner.timeout = duration(timeout) ?? .seconds(1 << 30) }
        let source = try text(source, "source")
        let name: String
        do throws(OwnerError) {
            name = try owner.channel(of: source)
        } catch {
            throw Failure(error)
        }
        try write(name, to: channel, size: size, needed: nil)
        return ok
    }
}

extension Failure {
    init(_ error: OwnerError) {
        switch error {
        case .channel(let error): self.init(error)
        case .badSource: self.init(FRAMESHARE_ERROR_INVALID_ARGUMENT, error.description)
        case .noCommand, .notStarted, .failed: self.init(FRAMESHARE_ERROR_SOURCE_FAILED, error.description)
        case .privileged, .lock: self.init(FRAMESHARE_ERROR_NOT_ALLOWED, error.description)
        case .timedOut: self.init(FRAMESHARE_ERROR_TIMED_OUT, error.description)
        }
    }
}
