import Testing

@testable import FrameShare

/// Messages of each kind as released versions sent them, byte for byte. What is here is never changed: a program of that
/// release sends it still. What each means is in ``MessageTests/all``, at the same place.
@Suite("Recorded messages")
struct RecordedMessageTests {
    @Test("messages that version 3.0 sent mean what they meant", arguments: recorded3_0.indices)
    func version3_0(index: Int) throws {
        let bytes = try #require(Self.bytes(Self.recorded3_0[index]))
        #expect(try Message(bytes: bytes[...]) == MessageTests.all[index])
    }

    @Test("a message with a part at its end that nobody knows means the same", arguments: recorded3_0.indices)
    func unknownPart(index: Int) throws {
        for minor in [0, 1, 255] as [UInt8] {
            var bytes = try #require(Self.bytes(Self.recorded3_0[index])) + [UInt8](repeating: 0xa5, count: 300)
            bytes[5] = minor
            Self.putSize(&bytes)
            #expect(try Message(bytes: bytes[...]) == MessageTests.all[index], "minor \(minor)")
        }
    }

    @Test("a size that is not the message's own is an error", arguments: recorded3_0.indices)
    func wrongSize(index: Int) throws {
        let bytes = try #require(Self.bytes(Self.recorded3_0[index]))
        for wrong in [-1, 1, 4, 0x7fff_ffff, 0xffff_ffff] {
            var other = bytes
            Self.putSize(&other, bytes.count - Message.headerSize + wrong)
            #expect(throws: Message.ReadError.self, "size + \(wrong)") { try Message(bytes: other[...]) }
        }
    }

    @Test("a type that a newer minor version has is told from one that nobody has")
    func newerTypes() {
        for (minor, isNewer) in [(0, false), (1, true), (255, true)] as [(UInt8, Bool)] {
            var bytes = Message.wake.encoded
            (bytes[5], bytes[6]) = (minor, 200)
            do throws(Message.ReadError) {
                _ = try Message(bytes: bytes[...])
                Issue.record("type 200 was read")
            } catch {
                #expect(error == .unknownType(200, ProtocolVersion(major: 3, minor: minor)))
                #expect(error.isOfNewerType == isNewer)
                let words = "unknown type 200; we speaks protocol 3.0, they 3.\(minor): we is older; update it"
                #expect(error.text(reader: "we", sender: "they").hasSuffix(isNewer ? words : "unknown type 200"))
            }
        }
    }

    private static func putSize(_ bytes: inout [UInt8], _ size: Int? = nil) {
        let size = UInt32(truncatingIfNeeded: size ?? bytes.count - Message.headerSize)
        for i in 0..<4 { bytes[8 + i] = UInt8(truncatingIfNeeded: size >> UInt32(8 * i)) }
    }

    /// The bytes of hexadecimal digits.
    static func bytes(_ digits: String) -> [UInt8]? {
        let values = digits.compactMap(\.hexDigitValue)
        guard values.count == digits.utf8.count, values.count % 2 == 0 else { return nil }
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] * 16 + values[$0 + 1]) }
    }

    // MARK: recorded

    static let recorded3_0: [String] = [
        // hello
        "464d53520300010036000000000600766965776572010300000000000000040000000000000001010900646574656374"
            + "6f7273020004006d61696e05006c6f726573",
        // hello-monitor
        "464d5352030001001a0000000100000000000000000000000200000000000000000000000000",
        // welcome
        "464d5352030002002000000007000000d2040000070063616d657261300d006772c3bc6e65204b616d657261",
        // refused
        "464d5352030003000400000002006e6f",
        // generation
        "464d53520300040050010000020000000800000000000000030000000000000001040000000000000028010000000000"
            + "004000000000000000c000000000000000c004000000000000e8030000000000000200980000007000000004006d6169"
            + "6e400000000000000030000000000000004e563132000000000000000000000000020020000000000000000000000040"
            + "00000000000000000c000000000000000000000000000020000000000000000000000040000000000000000006000000"
            + "000000010000000000000000000000000000000101020008000000001000000000000008000000000600000000000069"
            + "0000004d00000005006c6f72657310000000000000000800000000000000523820200000000000000000000000000100"
            + "200000000000000000000000100000000000000080000000000000000000000000000000010000000000000004020100"
            + "080000008000000000000000",
        // buffers
        "464d5352030005001400000002000000fa000000000000000e00000000000000",
        // ready
        "464d5352030006000400000002000000",
        // slot-released
        "464d53520300070000000000",
        // wake
        "464d53520300080000000000",
        // statistics-request
        "464d53520300090000000000",
        // statistics
        "464d535203000a004b020000070063616d6572613007007061747465726e4d000000e803000003000000010076000000"
            + "7000000004006d61696e400000000000000030000000000000004e563132000000000000000000000000020020000000"
            + "00000000000000004000000000000000000c000000000000000000000000000020000000000000000000000040000000"
            + "000000000006000000000000010000000000000002030800000000000000030000000000000002000000000000000100"
            + "0000000000000200000000000000010000000000000001200000003c000000000000003b000000000000000400000000"
            + "0000000000000002000000000000000001000005000000000000000600000000000000000000000000000015cd5b0700"
            + "000000ffffffffffffffff0200910000000900000058000000e903000006007669657765720104000000000000000500"
            + "000000000000010000010004006d61696e64000000000000000100000000000000020000000000000003000000000000"
            + "00040000000000000001010000000000000002000000000000004d000000000000000a00000000000000140000000000"
            + "0000ffffffffffffffff0500000000000000850000000a000000ffffffff000000000000020000000000000000020000"
            + "000000000001000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            + "000000ffffffffffffff7f000000000000000000000000",
        // ended-closed
        "464d535203000b0003000000000000",
        // ended-failed
        "464d535203000b000c000000010900756e706c7567676564",
        // ended-disconnected
        "464d535203000b0012000000020f0069742077617320746f6f20736c6f77",
        // goodbye
        "464d535203000c0000000000",
        // reply-metadata
        "464d535203000d00dc000000000000000001000001010000000000000000c800000102030405060708090a0b0c0d0e0f"
            + "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
            + "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f"
            + "707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
            + "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7",
        // reply-shared
        "464d535203000d00140000000300000000000000000000001000000000000000",
        // reply-failure
        "464d535203000d001600000000000000000000000200000000000000000002006e6f",
        // cancel
        "464d535203000e0008000000ffffffffffffffff",
        // controls-query
        "464d535203000f00050000000100000000",
        // controls-set
        "464d535203000f0029000000ffffffff010200140000000c004578706f7375726554696d650400383030300600000002"
            + "00c3a40000",
        // controls-answer-none
        "464d5352030010000700000007000000000000",
        // controls-answer-list
        "464d5352030010006f00000007000000000100640000000d006578706f737572655f6175746f0e004578706f73757265"
            + "2c204175746f040100300100330100330101003101010200100000000100310b004d616e75616c204d6f64651b000000"
            + "01003316004170657274757265205072696f72697479204d6f6465",
        // controls-answer-outcomes
        "464d53520300100028000000080000000103000700000001006100010031080000000100620102006e6f060000000100"
            + "63020000",
        // controls-answer-refused
        "464d5352030010001100000009000000020a006e6f626f6479206d6179",
        // made-way
        "464d53520300110000000000",
    ]
}
