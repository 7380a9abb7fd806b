internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_publisher_results(
    _ publisher: OpaquePointer!,
    _ group: UnsafePointer<CChar>!,
    _ options: UnsafePointer<frameshare_results_options>!,
    _ results: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(results, "results")
        let publisher = try handles.publishers.object(publisher)
        let group = try text(group, "group")
        let given = try read(options, frameshare_results_options(), "options", optional: true)
        let asking = try given.ask.map { (ask) throws(Failure) in try askOptions(ask) } ?? AskOptions()
        let results = try translating { () throws(ChannelError) in
            try publisher.results(
                of: group,
                order: given.window == 0 ? .arrival : .frames(window: Int(given.window)),
                capacity: given.capacity == 0 ? 256 : Int(given.capacity),
                options: asking
            )
        }
        guard let handle = handles.results.insert(results) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_results_next(
    _ results: OpaquePointer!,
    _ timeout: Int64,
    _ answered: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(answered, "answer")
        let results = try handles.results.object(results)
        let result = try translating { () throws(ChannelError) in
            try results.nextBlocking(timeout: duration(timeout))
        }
        guard let result else { return Int32(FRAMESHARE_ENDED) }
        return try hand(ReceivedAnswer(result), to: place)
    }
}

@c @implementation
public func frameshare_results_poll_fd(_ results: OpaquePointer!, _ fd: UnsafeMutablePointer<Int32>!) -> Int32 {
    answer { () throws(Failure) in
        let fd = try place(fd, "fd")
        let results = try handles.results.object(results)
        fd.pointee = try translating { () throws(ChannelError) in try results.pollDescriptor }
        return ok
    }
}

@c @implementation
public func frameshare_results_missed(_ results: OpaquePointer!, _ missed: UnsafeMutablePointer<UInt64>!) -> Int32 {
    answer { () throws(Failure) in
        let missed = try place(missed, "missed")
        missed.pointee = try handles.results.object(results).missed
        return ok
    }
}

@c @implementation
public func frameshare_results_close(_ results: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard let results = handles.results.remove(results) else { throw .invalidHandle }
        results.end()
        return ok
    }
}
