internal import FrameShare
internal import FrameShareCHeader

/// Where the numbers of a C struct lie, by their names in the header: so a figure gets into its member, and an option out of
/// it, without a line of code.
///
/// The offsets are worked out as every C compiler of a 64-bit Linux does: each member after the one before it, at the next
/// multiple of its alignment. Swift knows the members of a struct that it imports from C.
struct CStructMembers<Struct: BitwiseCopyable>: Sendable {
    /// A number that C's structs have.
    private enum Kind { case int32, uint32, int64, uint64 }
    private var members: [String: (offset: Int, kind: Kind)] = [:]

    init(of zero: Struct) {
        var end = 0
        for (name, value) in Mirror(reflecting: zero).children {
            let (size, alignment) = _openExistential(value, do: layout)
            let offset = (end + alignment - 1) / alignment * alignment
            end = offset + size
            let kind: Kind? =
                switch value {
                case is Int32: .int32
                case is UInt32: .uint32
                case is Int64: .int64
                case is UInt64: .uint64
                default: nil
                }
            if let name, let kind { members[name] = (offset, kind) }
        }
        assert(end <= MemoryLayout<Struct>.size && MemoryLayout<Struct>.size - end < 8, "it is laid out otherwise")
    }

    /// The number in the member of a name; 0 where there is none.
    func number(_ name: String, in given: Struct) -> Int128 {
        guard let member = members[name] else {
            assertionFailure("frameshare.h has no member '\(name)'")
            return 0
        }
        return withUnsafeBytes(of: given) { bytes in
            // Inside the struct, as above.
            switch member.kind {
            case .int32: Int128(bytes.loadUnaligned(fromByteOffset: member.offset, as: Int32.self))
            case .uint32: Int128(bytes.loadUnaligned(fromByteOffset: member.offset, as: UInt32.self))
            case .int64: Int128(bytes.loadUnaligned(fromByteOffset: member.offset, as: Int64.self))
            case .uint64: Int128(bytes.loadUnaligned(fromByteOffset: member.offset, as: UInt64.self))
            }
        }
    }

    /// Puts each figure into the member of its name.
    func fill<Of>(_ result: inout Struct, _ figures: [Figure<Of>], of: Of) {
        withUnsafeMutableBytes(of: &result) { bytes in
            guard let base = bytes.baseAddress else { return }
            for figure in figures {
                // Inside the struct: the member's offset and size come from the struct's own members.
                guard let member = members[figure.name] else {
                    assertionFailure("frameshare.h has no member '\(figure.name)'")
                    continue
                }
                let (value, place) = (figure.value(of), base + member.offset)
                switch member.kind {
                case .int32: place.storeBytes(of: Int32(clamping: value), as: Int32.self)
                case .uint32: place.storeBytes(of: UInt32(clamping: value), as: UInt32.self)
                case .int64: place.storeBytes(of: Int64(clamping: value), as: Int64.self)
                case .uint64: place.storeBytes(of: UInt64(clamping: value), as: UInt64.self)
                }
            }
        }
    }
}

private func layout<Value>(_: Value) -> (size: Int, alignment: Int) {
    (MemoryLayout<Value>.size, MemoryLayout<Value>.alignment)
}
