internal import FrameShare
public import FrameShareCHeader

/// Controls, with their texts where a caller's pointers find them.
final class ControlList: Sendable {
    private let controls: [CameraControl]
    private let texts: CBytes
    private let items: CItems
    /// For each control, where in `texts` its words begin; -1 for a value that the source doesn't tell.
    private let places: [[Int]]

    init(_ controls: [CameraControl]) {
        var bytes: [UInt8] = []
        func keep(_ text: String) -> Int {
            defer { bytes += Array(text.utf8) + [0] }
            return bytes.count
        }
        places = controls.map { control in
            [control.name, control.label, control.minimum, control.maximum, control.standard].map(keep)
                + [control.value.map(keep) ?? -1]
        }
        let itemPlaces = controls.map { $0.items.map { (keep($0.value), keep($0.name)) } }
        let texts = CBytes(bytes)
        items = CItems(itemPlaces.joined().map { .init(value: texts.text(at: $0.0), name: texts.text(at: $0.1)) })
        (self.controls, self.texts) = (controls, texts)
    }

    /// The control at `index`; nil beyond the last.
    subscript(index: Int) -> frameshare_control? {
        guard controls.indices.contains(index) else { return nil }
        let (control, places) = (controls[index], places[index])
        var result = frameshare_control()
        result.kind = UInt32(control.kind.rawValue)
        result.name = texts.text(at: places[0])
        result.label = texts.text(at: places[1])
        result.minimum = texts.text(at: places[2])
        result.maximum = texts.text(at: places[3])
        result.standard = texts.text(at: places[4])
        result.value = texts.text(at: places[5])
        result.items = items.first.map { $0 + controls[..<index].reduce(0) { $0 + $1.items.count } }
        result.item_count = control.items.count
        result.read_only = control.isReadOnly ? 1 : 0
        result.inactive = control.isInactive ? 1 : 0
        return result
    }
}

/// Items that stay where they are.
// @unchecked: written once, at the beginning, and freed with the object; what they point to is as constant.
private final class CItems: @unchecked Sendable {
    /// Nil when there are none.
    let first: UnsafePointer<frameshare_control_item>?

    init(_ items: [frameshare_control_item]) {
        guard !items.isEmpty else {
            first = nil
            return
        }
        let room = UnsafeMutablePointer<frameshare_control_item>.allocate(capacity: items.count)
        room.initialize(from: items, count: items.count)
        first = UnsafePointer(room)
    }

    deinit { first?.deallocate() }
}

@c @implementation
public func frameshare_monitor_get_controls(
    _ monitor: OpaquePointer!,
    _ list: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(list, "list")
        let monitor = try handles.monitors.object(monitor)
        let controls = try translating { () throws(ChannelError) in try monitor.controls() }
        guard let handle = handles.controlLists.insert(ControlList(controls)) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_control_list_get(
    _ list: OpaquePointer!,
    _ index: Int,
    _ control: UnsafeMutablePointer<frameshare_control>!
) -> Int32 {
    answer { () throws(Failure) in
        guard let found = try handles.controlLists.object(list)[index] else { return Int32(FRAMESHARE_NOT_FOUND) }
        try write(found, to: control, "control")
        return ok
    }
}

@c @implementation
public func frameshare_control_list_release(_ list: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.controlLists.remove(list) != nil else { throw .invalidHandle }
        return ok
    }
}

@c @implementation
public func frameshare_monitor_set_control(
    _ monitor: OpaquePointer!,
    _ name: UnsafePointer<CChar>!,
    _ value: UnsafePointer<CChar>!,
    _ now: UnsafeMutablePointer<CChar>!,
    _ size: Int
) -> Int32 {
    answer { () throws(Failure) in
        let setting = ControlSetting(try text(name, "name"), try text(value, "value"))
        let monitor = try handles.monitors.object(monitor)
        let outcomes = try translating { () throws(ChannelError) in try monitor.setControls([setting]) }
        switch outcomes.first?.result {
        case .success(let value)?:
            if let now, size > 0 { copy(value, into: UnsafeMutableRawBufferPointer(start: now, count: size)) }
            return ok
        case .failure(let error)?: throw Failure(FRAMESHARE_ERROR_REFUSED, "'\(setting.name)': \(error.description)")
        case nil: throw Failure(FRAMESHARE_ERROR_PROTOCOL, "there is no answer to this setting")
        }
    }
}
