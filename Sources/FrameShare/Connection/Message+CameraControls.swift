// What a monitor and a publisher say to each other of the controls of the channel's source.

extension Message {
    /// What a monitor asks.
    enum ControlsQuery: Equatable {
        case list
        case set([ControlSetting])
    }

    /// What the publisher answers.
    enum ControlsAnswer: Equatable {
        case list([CameraControl])
        case outcomes([ControlOutcome])
        case refused(String)
    }

    /// The most controls of a message.
    static let maximumControls = 256
    /// The most settings, and outcomes, of a message: at their longest they fit it.
    static let maximumSettings = 64
    /// The most entries of a menu.
    static let maximumItems = 256
    /// The most bytes of a text about a control.
    static let maximumControlText = 512
}

extension WireWriter {
    /// Texts of controls are short, so that all controls fit a message.
    private mutating func put(short text: String) {
        put(String(decoding: text.utf8.prefix(Message.maximumControlText), as: UTF8.self))
    }

    mutating func put(_ query: Message.ControlsQuery) {
        switch query {
        case .list: put(UInt8(0))
        case .set(let settings):
            put(UInt8(1))
            put(records: settings.prefix(Message.maximumSettings)) { w, setting in
                w.put(short: setting.name)
                w.put(short: setting.value)
            }
        }
    }

    mutating func put(_ answer: Message.ControlsAnswer) {
        switch answer {
        case .list(let controls):
            put(UInt8(0))
            put(controls: controls)
        case .outcomes(let outcomes):
            put(UInt8(1))
            put(outcomes: outcomes)
        case .refused(let reason):
            put(UInt8(2))
            put(short: reason)
        }
    }

    /// What doesn't fit the message is left out.
    private mutating func put(controls: [CameraControl]) {
        var pieces: [[UInt8]] = []
        var left = Message.maximumSize - 64
        for control in controls.prefix(Message.maximumControls) {
            var piece = WireWriter()
            piece.putRecord { $0.put(control) }
            guard piece.bytes.count <= left else { break }
            left -= piece.bytes.count
            pieces.append(piece.bytes)
        }
        put(UInt16(pieces.count))
        for piece in pieces { put(raw: piece) }
    }

    private mutating func put(_ control: CameraControl) {
        put(short: control.name)
        put(short: control.label)
        put(control.kind.rawValue)
        put(short: control.minimum)
        put(short: control.maximum)
        put(short: control.standard)
        put(control.value != nil)
        put(short: control.value ?? "")
        put(control.isReadOnly)
        put(control.isInactive)
        put(records: control.items.prefix(Message.maximumItems)) { w, item in
            w.put(short: item.value)
            w.put(short: item.name)
        }
    }

    private mutating func put(outcomes: [ControlOutcome]) {
        put(records: outcomes.prefix(Message.maximumSettings)) { w, outcome in
            w.put(short: outcome.name)
            switch outcome.result {
            case .success(let value):
                w.put(UInt8(0))
                w.put(short: value)
            case .failure(.refused(let reason)):
                w.put(UInt8(1))
                w.put(short: reason)
            case .failure(.sourceGone):
                w.put(UInt8(2))
                w.put("")
            }
        }
    }
}

extension WireReader {
    private mutating func short() throws(WireError) -> String {
        let text = try text()
        // A character that was cut has become a longer one.
        guard text.utf8.count <= Message.maximumControlText + 8 else { throw WireError(text: "text too long") }
        return text
    }

    mutating func controlsQuery() throws(WireError) -> Message.ControlsQuery {
        switch try integer(UInt8.self) {
        case 0: return .list
        case 1:
            return .set(
                try records(atMost: Message.maximumSettings, "settings") { r throws(WireError) in
                    ControlSetting(try r.short(), try r.short())
                }
            )
        case let other: throw WireError(text: "unknown question \(other)")
        }
    }

    mutating func controlsAnswer() throws(WireError) -> Message.ControlsAnswer {
        switch try integer(UInt8.self) {
        case 0:
            return .list(
                try records(atMost: Message.maximumControls, "controls") { r throws(WireError) in try r.control() }
            )
        case 1:
            return .outcomes(
                try records(atMost: Message.maximumSettings, "outcomes") { r throws(WireError) in
                    try r.controlOutcome()
                }
            )
        case 2: return .refused(try short())
        case let other: throw WireError(text: "unknown answer \(other)")
        }
    }

    private mutating func control() throws(WireError) -> CameraControl {
        let (name, label) = (try short(), try short())
        guard let kind = CameraControl.Kind(rawValue: try integer()) else {
            throw WireError(text: "unknown kind of control")
        }
        var control = CameraControl(
            name: name,
            label: label,
            kind: kind,
            minimum: try short(),
            maximum: try short(),
            standard: try short()
        )
        let hasValue = try bool()
        let value = try short()
        control.value = hasValue ? value : nil
        control.isReadOnly = try bool()
        control.isInactive = try bool()
        control.items = try records(atMost: Message.maximumItems, "menu items") { r throws(WireError) in
            CameraControl.Item(value: try r.short(), name: try r.short())
        }
        return control
    }

    private mutating func controlOutcome() throws(WireError) -> ControlOutcome {
        let name = try short()
        let kind = try integer(UInt8.self)
        let text = try short()
        switch kind {
        case 0: return ControlOutcome(name: name, result: .success(text))
        case 1: return ControlOutcome(name: name, result: .failure(.refused(text)))
        case 2: return ControlOutcome(name: name, result: .failure(.sourceGone))
        default: throw WireError(text: "unknown outcome \(kind)")
        }
    }
}
