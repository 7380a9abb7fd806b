package import FrameShare

extension CameraControl {
    /// As `control --json` prints it.
    package var json: JSONValue {
        .object([
            "name": .string(name), "label": .string(label), "kind": .string("\(kind)"),
            "minimum": minimum.isEmpty ? nil : .string(minimum), "maximum": maximum.isEmpty ? nil : .string(maximum),
            "default": standard.isEmpty ? nil : .string(standard), "value": value.map(JSONValue.string),
            "items": items.isEmpty
                ? nil : .array(items.map { .object(["value": .string($0.value), "name": .string($0.name)]) }),
            "read_only": .bool(isReadOnly), "inactive": .bool(isInactive),
        ])
    }
}

extension ControlOutcome {
    /// As `control --json` prints it.
    package var json: JSONValue {
        switch result {
        case .success(let value): .object(["name": .string(name), "value": .string(value)])
        case .failure(let error): .object(["name": .string(name), "error": .string("\(error)")])
        }
    }
}
