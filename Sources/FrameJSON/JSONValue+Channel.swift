package import FrameShare
internal import Glibc

extension ChannelStatistics {
    /// As `list --json` and `top --json` print it. Times are nanoseconds.
    package var json: JSONValue {
        .object([
            "channel": .string(channel),
            "source": .string(sourceName),
            "publisher": .object([
                "pid": .number(publisherPID), "uid": .number(publisherUID),
                "user": .string(UserName.of(publisherUID)),
            ]),
            "generation": .number(generation),
            "age_ns": .number(age),
            "since_last_frame_ns": sinceLastFrame < 0 ? .null : .number(sinceLastFrame),
            "published": .number(published),
            "lost": .object(["source": .number(lostBySource), "no_free_slot": .number(lostNoFreeSlot)]),
            "trouble": sourceTrouble.isEmpty ? .null : .string(sourceTrouble),
            "source_errors": .number(sourceErrors),
            "damaged": .number(damaged),
            "pool": .object([
                "slots": .number(slots), "free": .number(slotsFree), "at_source": .number(slotsAtSource),
                "source_need": .number(sourceNeed), "reserved": .number(slotsReserved),
                "retired_held": .number(retiredSlotsHeld),
            ]),
            "copies": copies?.json ?? .null,
            "streams": .array(streams.map(\.json)),
            "subscribers": .array(subscribers.map(\.json)),
            "groups": .array(groups.map(\.json)),
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
    package var json: JSONValue {
        .object(["slots": .number(slots), "free": .number(free), "floor": .number(floor), "copied": .number(copied)])
    }
}

extension ChannelStatistics.GroupStatus {
    package var json: JSONValue {
        .object([
            "name": .string(name), "members": .number(members), "given": .number(given), "lost": .number(lost),
            "answered": .number(answered), "failed": .number(failed), "open": .number(pending),
            "replies_discarded": .number(discarded),
        ])
    }
}

extension ChannelStatistics.SubscriberStatus {
    package var json: JSONValue {
        .object([
            "id": .number(id), "pid": .number(pid), "uid": .number(uid), "user": .string(UserName.of(uid)),
            "name": .string(name), "group": group.isEmpty ? .null : .string(group), "policy": .string("\(policy)"),
            "budget": .number(budget), "reserved": .bool(reserved), "streams": .strings(streams),
            "delivered": .number(delivered), "dropped": .number(dropped),
            "dropped_by": .object([
                "policy": .number(droppedByPolicy), "budget": .number(droppedByBudget),
                "shortage": .number(droppedByShortage),
            ]),
            "copies": .number(copies), "gets_copies": .bool(getsCopies),
            "queued": .number(queued), "held": .number(held), "oldest_lease_ns": .number(oldestLeaseAge),
            "latency_ns": .object([
                "p50": .number(latencyP50), "p99": .number(latencyP99), "max": .number(latencyMax),
            ]),
            "age_ns": .number(age),
        ])
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
        .object(["source": .number(source), "no_free_slot": .number(noFreeSlot), "policy": .number(policy)])
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
