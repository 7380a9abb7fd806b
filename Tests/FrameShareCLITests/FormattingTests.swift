import CommandTesting
import Foundation
import FrameCommand
import FrameJSON
import FrameShare
import Testing

@testable import FrameShareCLI

@Suite("Formatting")
struct FormattingTests {
    @Test(
        "times are told in the unit that fits",
        arguments: [
            (0, "0 ns"), (999, "999 ns"), (1_500, "1.5 us"), (41_249, "41.2 us"), (3_100_000, "3.10 ms"),
            (2_000_000_000, "2.0 s"), (185_000_000_000, "3 min 5 s"), (7_800_000_000_000, "2 h 10 min"),
        ]
    )
    func times(nanoseconds: Int, text: String) {
        #expect(Quantities.time(nanoseconds: nanoseconds) == text)
    }

    @Test("fixed rounds, pads and signs", arguments: [(0.0, "0.0"), (9.96, "10.0"), (-0.04, "0.0"), (-1.25, "-1.3")])
    func fixed(value: Double, text: String) {
        #expect(Quantities.fixed(value) == text)
    }

    @Test("what is no number is a dash", arguments: [Double.nan, .infinity, 1e300])
    func noNumber(value: Double) {
        #expect(Quantities.fixed(value) == "-")
    }

    @Test("sizes are told in binary units", arguments: [(900, "900 B"), (65536, "64.0 KiB"), (1_382_400, "1.3 MiB")])
    func sizes(count: Int, text: String) {
        #expect(Quantities.bytes(count) == text)
    }

    @Test("JSON keeps the order of keys, leaves nil out, and escapes")
    func json() throws {
        let value = JSONValue.object([
            "b": 1, "a": .string("x\"\\\n\u{1}é"), "none": nil, "big": .number(UInt64.max), "yes": true,
            "rounded": .number(1.23456, digits: 2), "odd": .number(.infinity, digits: 1), "list": .array([.null]),
        ])
        #expect(
            value.text
                == #"{"b":1,"a":"x\"\\\n\u0001é","big":18446744073709551615,"yes":true,"rounded":1.23,"odd":null,"list":[null]}"#
        )
        #expect(try Document(value.text)["a"].text == "x\"\\\n\u{1}é")
    }

    @Test("a table lines up its columns, numbers to the right")
    func table() throws {
        var table = TextTable([.init("NAME"), .init("COUNT", .right), .init("NOTE")])
        table.add(["a", "1", "first"])
        table.add(["longer", "1000", "second"])
        #expect(
            table.lines().map { $0.text(colored: false) } == [
                "NAME    COUNT  NOTE",
                "a           1  first",
                "longer   1000  second",
            ]
        )
        #expect(table.lines(width: 10).map { $0.text(colored: false) } == ["NAME    CO", "a         ", "longer   1"])
    }

    @Test("a line that is cut keeps its colours, which take no room")
    func cut() {
        let line = "ab" + StyledText("cde", .green) + "f"
        #expect(line.prefix(columns: 4).text(colored: true) == "ab\u{1B}[32mcd\u{1B}[0m")
        #expect(line.prefix(columns: 80) == line)
    }

    @Test(
        "lengths of time",
        arguments: [
            ("250us", Duration.microseconds(250)), ("100ms", .milliseconds(100)), ("1.5s", .milliseconds(1500)),
            ("2min", .seconds(120)), ("10", .seconds(10)), ("0", .zero), ("1h", .seconds(3600)),
            ("5ns", .nanoseconds(5)),
        ]
    )
    func durations(text: String, value: Duration) throws {
        #expect(try DurationArgument.parse(text) == value)
    }

    @Test("rates", arguments: [("30", 30.0), ("29.97", 29.97), ("30000/1001", 30000.0 / 1001), ("0", 0)])
    func rates(text: String, value: Double) throws {
        #expect(try FrameRateArgument.parse(text) == value)
    }

    @Test("a stream's argument has a name, a size, and perhaps a format")
    func streams() throws {
        let plain = try StreamArgument.parse("lores=320x240")
        #expect(plain == StreamArgument(name: "lores", size: ImageSize(width: 320, height: 240), format: nil))
        #expect(try StreamArgument.parse("raw=64x48:GREY").format == .r8)
    }

    @Test(
        "a device's channel is named after its number",
        arguments: [("/dev/video0", "camera0"), ("/dev/video12", "camera12")]
    )
    func channelNames(device: String, channel: String) throws {
        #expect(try SourceArgument.parse(device).defaultChannel == channel)
    }

    @Test("a link to a device is named after the device, and one that leads nowhere after nothing")
    func linkedChannelNames() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("fs-links-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let device = folder.appendingPathComponent("video7").path
        FileManager.default.createFile(atPath: device, contents: nil)
        let link = folder.appendingPathComponent("usb-Maker_Camera_0001-video-index0").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: device)
        #expect(SourceArgument.device(link).defaultChannel == "camera7")
        #expect(try SourceArgument.parse("/dev/v4l/by-id/usb-not_there-video-index0").defaultChannel == nil)
    }

    @Test("a source is what its path is: a file, whatever its ending, a device, or neither")
    func sources() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "fs-source-\(UUID().uuidString.prefix(8))"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["a.y4m", "a.jpg", "a.h264", "a.mjpeg", "a.flv", "a.gif", "a", "a b.MP4"] {
            let path = folder.appendingPathComponent(name).path
            // Taken for a file before there is one: to say that it is not there.
            #expect(try SourceArgument.parse(path) == .file(path))
            try Data([0]).write(to: URL(fileURLWithPath: path))
            #expect(try SourceArgument.parse(path) == .file(path))
        }
        #expect(try SourceArgument.parse("/dev/null") == .device("/dev/null"))
        #expect(try SourceArgument.parse("/dev/video99") == .device("/dev/video99"))
        #expect(try SourceArgument.parse("missing.xyz") == .file("missing.xyz"))
        for text in ["", "camera0", folder.path] {
            #expect(throws: (any Error).self) { try SourceArgument.parse(text) }
        }
    }

    @Test("a checksum changes with any byte")
    func checksum() {
        var bytes = [UInt8](repeating: 7, count: 37)
        func sum() -> UInt64 {
            var checksum = PixelChecksum()
            bytes.withUnsafeBytes { checksum.add($0) }
            return checksum.value
        }
        var seen: Set<UInt64> = [sum()]
        for index in bytes.indices {
            bytes[index] = 8
            #expect(seen.insert(sum()).inserted)
            bytes[index] = 7
        }
    }

    @Test("percentiles are to three digits, and never above the largest value")
    func percentiles() {
        var histogram = LatencyHistogram()
        #expect(histogram.text == "-")
        for value in 1...1000 { histogram.record(nanoseconds: Int64(value) * 1000) }
        histogram.record(nanoseconds: -5)
        #expect((499_000...502_000).contains(histogram.percentile(50)))
        #expect(histogram.percentile(100) <= histogram.maximum)
        #expect((1_000_000...1_001_000).contains(histogram.maximum))
    }
}
