internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_overlay_open(
    _ publisher: OpaquePointer!,
    _ channel: UnsafePointer<CChar>!,
    _ group: UnsafePointer<CChar>!,
    _ options: UnsafePointer<frameshare_overlay_options>!,
    _ overlay: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(overlay, "overlay")
        let publisher = try handles.publishers.object(publisher)
        let (channel, group) = (try text(channel, "channel"), try text(group, "group"))
        let given = try read(options, frameshare_overlay_options(), "options", optional: true)
        let asking = try askOptions(given.ask)
        let publishing = try given.publisher.map { (options) throws(Failure) in try publisherOptions(options) }
        let overlay = try translating { () throws(ChannelError) in
            try Overlay(
                of: publisher,
                channel: channel,
                group: group,
                budget: given.budget == 0 ? nil : Int(given.budget),
                window: given.window == 0 ? 4 : Int(given.window),
                asking: asking,
                options: publishing
            )
        }
        guard let handle = handles.overlays.insert(overlay) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_overlay_get_statistics(
    _ overlay: OpaquePointer!,
    _ statistics: UnsafeMutablePointer<frameshare_channel_statistics>!,
    _ subscribers: UnsafeMutablePointer<frameshare_subscriber_status>!,
    _ capacity: Int
) -> Int32 {
    answer { () throws(Failure) in
        try tell(try handles.overlays.object(overlay).statistics, statistics, subscribers, capacity)
    }
}

@c @implementation
public func frameshare_overlay_close(_ overlay: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard let overlay = handles.overlays.remove(overlay) else { throw .invalidHandle }
        overlay.close()
        return ok
    }
}
