package import FrameShare
internal import Glibc

extension JSONValue {
    /// An object of some members, then those figures, then others.
    fileprivate static func object<Of>(
        _ before: KeyValuePairs<String, JSONValue>,
        _ figures: [Figure<Of>],
        of: Of,
        _ after: KeyValuePairs<String, JSONValue> = [:]
    ) -> JSONValue {
        var members = before.map { Member(key: $0, value: $1) }
        for figure in figures {
            insert(value(figure, of), at: figure.json.split(separator: ".").map(String.init)[...], into: &members)
        }
        return .object(members + after.map { Member(key: $0, value: $1) })
    }

    private static func value<Of>(_ figure: Figure<Of>, _ of: Of) -> JSONValue {
        let value = figure.value(of)
        if figure.isFlag { return .bool(value != 0) }
        return value < 0 ? .null : .number(value)
    }

    private static func insert(_ value: JSONValue, at path: ArraySlice<String>, into members: inout [Member]) {
        guard let key = path.first else { return }
        guard path.count > 1 else { return members.append(Member(key: key, value: value)) }
        let place = members.firstIndex { $0.key == key } ?? members.endIndex
        if place == members.endIndex { members.append(Member(key: key, value: .object([Member]()))) }
        guard case .object(var inner) = members[place].value else { return }
        insert(value, at: path.dropFirst(), into: &inner)
        members[place].value = .object(inner)
    }
}

extension ChannelStatistics {
    /// As `list --json` and `top --json` print it. Times are nanoseconds.
    package var json: JSONValue {
        .object(
            [
                "channel": .string(channel),
                "source": .string(sourceName),
                "publisher": .object([
                    "pid": .number(publisherPID), "uid": .number(publisherUID),
                    "user": .string(UserName.of(publisherUID)),
                ]),
            ],
            Self.figures,
            of: self,
            [
                "trouble": sourceTrouble.isEmpty ? .null : .string(sourceTrouble),
                "copies": copies?.json ?? .null,
                "streams": .array(streams.map(\.json)),
                "subscribers": .array(subscribers.map(\.json)),
                "groups": .array(groups.map(\.json)),
            ]
        )
    }
}

extension ChannelStatistics {
    /// What each figure of `json` means: what the view tells its page and machines.
    package static var describedFigures: JSONValue {
        func described<Of>(_ figures: [Figure<Of>]) -> JSONValue {
            .array(figures.map { .object(["key": .string($0.json), "about": .string($0.about)]) })
        }
        return .object([
            "channel": described(figures), "copies": described(CopyStatus.figures),
            "subscriber": described(SubscriberStatus.figures), "group": described(GroupStatus.figures),
        ])
    }
}

extension ChannelStatistics.StreamStatus {
    package var json: JSONValue {
        .object([
            "name": .string(stream.name),
            "width": .number(stream.layout.width), "height": .number(stream.layout.height),
            "format": .string(stream.layout.format.name),
            "planes": .array(
                stream.layout.planes.map {
                    .object([
                        "offset": .number($0.offset), "stride": .number($0.stride), "size": .number($0.size),
                        "buffer": .number($0.buffer),
                    ])
                }
            ),
            "memory": .string("\(memory)"),
            "readers_can_write": .bool(protection == .none),
            "protection": .string(protection.jsonName),
        ])
    }
}

extension ChannelStatistics.CopyStatus {
    package var json: JSONValue { .object([:], Self.figures, of: self) }
}

extension ChannelStatistics.GroupStatus {
    package var json: JSONValue { .object(["name": .string(name)], Self.figures, of: self) }
}

extension ChannelStatistics.SubscriberStatus {
    package var json: JSONValue {
        .object(
            [
                "id": .number(id), "pid": .number(pid), "uid": .number(uid), "user": .string(UserName.of(uid)),
                "name": .string(name), "group": group.isEmpty ? .null : .string(group),
                "policy": .string("\(policy)"), "streams": .strings(streams), "dropped": .number(dropped),
            ],
            Self.figures,
            of: self
        )
    }
}

extension WriteProtection {
    package var jsonName: String {
        switch self {
        case .sealed: "sealed"
        case .readOnlyExport: "read-only-export"
        case .none: "none"
        }
    }

    /// For people.
    package var explanation: String {
        switch self {
        case .sealed: "sealed: readers can't write"
        case .readOnlyExport: "exported read-only: readers can't write"
        case .none: "readers could write"
        }
    }
}

extension FrameLoss {
    package var json: JSONValue {
        .object([
            "source": .number(source), "no_free_slot": .number(noFreeSlot), "policy": .number(policy),
            "known": .bool(isKnown),
        ])
    }
}

/// A user id as people know it.
package enum UserName {
    /// The name of a user id, or the number where it has none.
    package static func of(_ uid: UInt32) -> String {
        var (entry, buffer) = (passwd(), [CChar](repeating: 0, count: 16384))
        var found: UnsafeMutablePointer<passwd>?
        guard getpwuid_r(uid, &entry, &buffer, buffer.count, &found) == 0, let found else { return "uid \(uid)" }
        return String(cString: found.pointee.pw_name)
    }
}

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
