internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

extension V4L2Device {
    /// All controls, in the kernel's order: `VIDIOC_QUERY_EXT_CTRL`, `VIDIOC_QUERYMENU`. Without disabled ones and the
    /// headings of groups.
    public func controls() throws(V4L2Error) -> [V4L2Control] {
        let next = UInt32(V4L2_CTRL_FLAG_NEXT_CTRL) | UInt32(V4L2_CTRL_FLAG_NEXT_COMPOUND)
        var controls: [V4L2Control] = []
        var last: UInt32 = 0
        while controls.count < 4096 {
            var query = v4l2_query_ext_ctrl()
            let result = raw { fs_v4l2_query_control(descriptor, last | next, &query) }
            if result == -EINVAL || result == -ENOTTY { break }
            guard result == 0 else { throw error("VIDIOC_QUERY_EXT_CTRL", "", -result) }
            // A driver that doesn't go forward would be asked for ever.
            guard query.id > last else { break }
            last = query.id
            if query.type == V4L2_CTRL_TYPE_CTRL_CLASS.rawValue || query.flags & UInt32(V4L2_CTRL_FLAG_DISABLED) != 0 {
                continue
            }
            controls.append(V4L2Control(query, items: items(query)))
        }
        return controls
    }

    private func items(_ query: v4l2_query_ext_ctrl) -> [V4L2Control.Item] {
        let isNumbers = query.type == V4L2_CTRL_TYPE_INTEGER_MENU.rawValue
        guard isNumbers || query.type == V4L2_CTRL_TYPE_MENU.rawValue, query.minimum <= query.maximum else { return [] }
        var items: [V4L2Control.Item] = []
        for index in query.minimum...min(query.maximum, query.minimum.addingReportingOverflow(255).partialValue) {
            guard let position = UInt32(exactly: index) else { continue }
            var name: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            var number: Int64 = 0
            let result = withUnsafeMutableBytes(of: &name) { bytes in
                raw {
                    fs_v4l2_query_menu(
                        descriptor,
                        query.id,
                        position,
                        bytes.assumingMemoryBound(to: CChar.self).baseAddress,
                        &number
                    )
                }
            }
            // Entries that this device can't do are left out by an error.
            guard result == 0 else { continue }
            items.append(V4L2Control.Item(index: index, text: isNumbers ? "\(number)" : cString(name)))
        }
        return items
    }

    /// The control with this name, as the driver has it or as `v4l2-ctl` does ("White Balance, Automatic",
    /// "white_balance_automatic").
    ///
    /// - Throws: ``V4L2Error/noSuchControl(path:name:known:)``.
    public func control(named name: String) throws(V4L2Error) -> V4L2Control {
        let controls = try controls()
        if let control = controls.first(where: { $0.name == name }) { return control }
        let key = V4L2Control.key(of: name)
        if !key.isEmpty, let control = controls.first(where: { $0.key == key }) { return control }
        throw .noSuchControl(path: path, name: name, known: controls.map(\.key))
    }

    /// What a control is set to; of a menu the item's index.
    ///
    /// - Throws: ``V4L2Error/controlNotAvailable(path:name:reason:)`` for buttons, arrays and write-only controls.
    public func value(of control: V4L2Control) throws(V4L2Error) -> V4L2ControlValue {
        switch control.kind {
        case .button, .compound:
            throw .controlNotAvailable(path: path, name: control.name, reason: "has no single value to read")
        case .text:
            return .text(try text(of: control))
        case .integer, .boolean, .menu, .bitmask:
            var number: Int64 = 0
            let result = raw { fs_v4l2_get_control(descriptor, control.id, control.isWide, &number) }
            guard result == 0 else { throw controlError(control, "VIDIOC_G_EXT_CTRLS", "", -result) }
            if control.kind == .boolean { return .boolean(number != 0) }
            return .integer(control.kind == .bitmask ? Int64(UInt32(truncatingIfNeeded: number)) : number)
        }
    }

    private func text(of control: V4L2Control) throws(V4L2Error) -> String {
        let size = min(max(1, control.elementSize), 1 << 16)
        var bytes = [CChar](repeating: 0, count: size + 1)
        let result = raw { fs_v4l2_get_text_control(descriptor, control.id, &bytes, UInt32(size)) }
        guard result == 0 else { throw controlError(control, "VIDIOC_G_EXT_CTRLS", "", -result) }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Sets a control, also while streaming. A number between two steps is rounded by the driver.
    ///
    /// - Returns: what the driver made of it.
    /// - Throws: ``V4L2Error/badControlValue(path:name:value:allowed:)`` for a value that the control can't have,
    ///   ``V4L2Error/controlNotAvailable(path:name:reason:)``.
    @discardableResult
    public func set(_ control: V4L2Control, to value: V4L2ControlValue) throws(V4L2Error) -> V4L2ControlValue {
        if control.isReadOnly { throw .controlNotAvailable(path: path, name: control.name, reason: "is read-only") }
        if control.kind == .text, case .text(let text) = value { return try set(control, text: text) }
        guard var number = control.number(for: value) else {
            // Some drivers show values that are outside of what they say they take.
            if let now = try? self.value(of: control), now.text == value.text { return now }
            throw badValue(control, value)
        }
        let result = raw { fs_v4l2_set_control(descriptor, control.id, control.isWide, &number) }
        if result == -ERANGE || result == -EINVAL { throw badValue(control, value) }
        guard result == 0 else { throw controlError(control, "VIDIOC_S_EXT_CTRLS", value.description, -result) }
        switch control.kind {
        case .boolean: return .boolean(number != 0)
        case .button: return value
        case .bitmask: return .integer(Int64(UInt32(truncatingIfNeeded: number)))
        default: return .integer(number)
        }
    }

    private func set(_ control: V4L2Control, text: String) throws(V4L2Error) -> V4L2ControlValue {
        let bytes = Array(text.utf8).map { CChar(bitPattern: $0) } + [0]
        guard bytes.count <= max(1, control.elementSize), control.range.contains(Int64(bytes.count - 1)) else {
            throw badValue(control, .text(text))
        }
        let result = raw { fs_v4l2_set_text_control(descriptor, control.id, bytes, UInt32(bytes.count)) }
        if result == -ERANGE || result == -EINVAL { throw badValue(control, .text(text)) }
        guard result == 0 else { throw controlError(control, "VIDIOC_S_EXT_CTRLS", text, -result) }
        return .text(text)
    }

    /// Sets the control with this name; see ``control(named:)`` and ``set(_:to:)``.
    @discardableResult
    public func setControl(_ name: String, to value: V4L2ControlValue) throws(V4L2Error) -> V4L2ControlValue {
        try set(control(named: name), to: value)
    }

    private func badValue(_ control: V4L2Control, _ value: V4L2ControlValue) -> V4L2Error {
        .badControlValue(path: path, name: control.name, value: value.description, allowed: control.allowedText)
    }

    private func controlError(
        _ control: V4L2Control,
        _ call: StaticString,
        _ value: String,
        _ code: Int32
    ) -> V4L2Error {
        let reason: String
        switch code {
        case EBUSY: reason = "can't be changed while the device is streaming"
        case EACCES where control.isWriteOnly: reason = "is write-only"
        case EACCES where control.isInactive: reason = "has no effect now, and its driver takes no value meanwhile"
        case EACCES: reason = "may not be changed"
        default: return error(call, "\(control.name) \(value)", code)
        }
        return .controlNotAvailable(path: path, name: control.name, reason: reason)
    }
}
