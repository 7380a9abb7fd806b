internal import FrameShare
public import FrameShareCHeader

/// A setting that somebody asks for, with its words where a caller's pointers find them.
final class ReceivedSetting: Sendable {
    let request: SettingRequest
    let name: CBytes
    let value: CBytes

    init(_ request: SettingRequest) {
        self.request = request
        name = CBytes(Array(request.setting.name.utf8) + [0])
        value = CBytes(Array(request.setting.value.utf8) + [0])
    }
}

@c @implementation
public func frameshare_publisher_offer_controls(
    _ publisher: OpaquePointer!,
    _ controls: UnsafePointer<frameshare_control>!,
    _ count: Int,
    _ settings: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(settings, "settings")
        let publisher = try handles.publishers.object(publisher)
        let queue = SettingQueue(try cameraControls(controls, count))
        guard let handle = handles.settingQueues.insert(queue) else { throw .tooManyHandles }
        do throws(Failure) {
            try translating { () throws(ChannelError) in try publisher.offerControls(of: queue) }
        } catch {
            _ = handles.settingQueues.remove(handle)
            throw error
        }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_settings_update(
    _ settings: OpaquePointer!,
    _ controls: UnsafePointer<frameshare_control>!,
    _ count: Int
) -> Int32 {
    answer { () throws(Failure) in
        let queue = try handles.settingQueues.object(settings)
        queue.update(try cameraControls(controls, count))
        return ok
    }
}

@c @implementation
public func frameshare_settings_next(
    _ settings: OpaquePointer!,
    _ timeout: Int64,
    _ setting: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(setting, "setting")
        let queue = try handles.settingQueues.object(settings)
        let request = try translating { () throws(ChannelError) in
            try queue.nextBlocking(timeout: duration(timeout))
        }
        guard let request else { return Int32(FRAMESHARE_ENDED) }
        guard let handle = handles.settings.insert(ReceivedSetting(request)) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_settings_poll_fd(_ settings: OpaquePointer!, _ fd: UnsafeMutablePointer<Int32>!) -> Int32 {
    answer { () throws(Failure) in
        let fd = try place(fd, "fd")
        let queue = try handles.settingQueues.object(settings)
        fd.pointee = try translating { () throws(ChannelError) in try queue.pollDescriptor }
        return ok
    }
}

@c @implementation
public func frameshare_settings_close(_ settings: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        // The publisher does not keep it: with it goes the offer.
        guard let queue = handles.settingQueues.remove(settings) else { throw .invalidHandle }
        queue.end()
        return ok
    }
}

@c @implementation
public func frameshare_setting_get(
    _ setting: OpaquePointer!,
    _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>!,
    _ value: UnsafeMutablePointer<UnsafePointer<CChar>?>!
) -> Int32 {
    answer { () throws(Failure) in
        let (name, value) = (try place(name, "name"), try place(value, "value"))
        let setting = try handles.settings.object(setting)
        (name.pointee, value.pointee) = (setting.name.text(at: 0), setting.value.text(at: 0))
        return ok
    }
}

@c @implementation
public func frameshare_setting_accept(_ setting: OpaquePointer!, _ now: UnsafePointer<CChar>!) -> Int32 {
    answer { () throws(Failure) in
        let now = try text(now, "now")
        guard let setting = handles.settings.remove(setting) else { throw .invalidHandle }
        setting.request.accept(now)
        return ok
    }
}

@c @implementation
public func frameshare_setting_refuse(_ setting: OpaquePointer!, _ reason: UnsafePointer<CChar>!) -> Int32 {
    answer { () throws(Failure) in
        let reason = try text(reason, "reason")
        guard let setting = handles.settings.remove(setting) else { throw .invalidHandle }
        setting.request.refuse(reason)
        return ok
    }
}

/// Controls as a caller has them: an array of structs of the caller's release.
private func cameraControls(
    _ controls: UnsafePointer<frameshare_control>?,
    _ count: Int
) throws(Failure) -> [CameraControl] {
    guard (0...1024).contains(count) else { throw .invalid("\(count) controls can't be offered; 0 to 1024 can") }
    guard count > 0 else { return [] }
    guard let controls else { throw .null("controls") }
    let stride = Int(UnsafeRawPointer(controls).loadUnaligned(as: UInt32.self))
    var result: [CameraControl] = []
    for index in 0..<count {
        let one = UnsafeRawPointer(controls).advanced(by: index * stride)
        let parameter = "controls[\(index)]"
        let given = try read(one.assumingMemoryBound(to: frameshare_control.self), frameshare_control(), parameter)
        let control = try cameraControl(given, parameter)
        guard !result.contains(where: { $0.name == control.name }) else {
            throw .invalid("\(parameter): '\(control.name)' is there already")
        }
        result.append(control)
    }
    return result
}

private func cameraControl(_ given: frameshare_control, _ parameter: String) throws(Failure) -> CameraControl {
    guard let number = UInt8(exactly: given.kind), let kind = CameraControl.Kind(rawValue: number) else {
        throw .invalid("\(parameter): there is no kind of control \(given.kind)")
    }
    let name = try text(given.name, "\(parameter).name")
    guard !name.isEmpty else { throw .invalid("\(parameter) has no name") }
    var items: [CameraControl.Item] = []
    guard given.item_count <= 4096 else { throw .invalid("\(parameter): \(given.item_count) items are too many") }
    if given.item_count > 0 {
        guard let array = given.items else { throw .null("\(parameter).items") }
        for index in 0..<given.item_count {
            let value = try text(array[index].value, "\(parameter).items[\(index)].value")
            items.append(CameraControl.Item(value: value, name: optionalText(array[index].name) ?? value))
        }
    }
    return CameraControl(
        name: name,
        label: optionalText(given.label) ?? "",
        kind: kind,
        minimum: optionalText(given.minimum) ?? "",
        maximum: optionalText(given.maximum) ?? "",
        standard: optionalText(given.standard) ?? "",
        value: optionalText(given.value),
        items: items,
        isReadOnly: given.read_only != 0,
        isInactive: given.inactive != 0
    )
}
