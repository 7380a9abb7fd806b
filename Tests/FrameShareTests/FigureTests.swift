import Foundation
import Testing

@testable import FrameShare

/// The statistics' figures: described once, from which all else follows.
@Suite("Figures of the statistics")
struct FigureTests {
    /// Bytes as a publisher sends figures: these numbers, in order.
    private static func encoded(_ numbers: [UInt64]) -> [UInt8] {
        var writer = WireWriter()
        writer.put(UInt16(numbers.count))
        for number in numbers { writer.put(number) }
        return writer.bytes
    }

    private static func read<Of>(_ numbers: [UInt64], _ figures: [Figure<Of>], into of: Of) throws -> [Int128] {
        var (reader, of) = (WireReader(encoded(numbers)[...]), of)
        try reader.figures(figures, into: &of)
        #expect(reader.isAtEnd)
        return figures.map { $0.value(of) }
    }

    /// Each figure goes to its place; those that are missing or more are as the rules for versions say.
    private static func check<Of>(_ figures: [Figure<Of>], _ zero: Of) throws {
        let numbers = figures.indices.map { figures[$0].isFlag ? 1 : UInt64($0 + 1) }
        let expected = numbers.map { Int128($0) }
        #expect(try read(numbers, figures, into: zero) == expected)
        #expect(try read(numbers + [.max, 7], figures, into: zero) == expected, "of a newer publisher")
        for count in figures.indices {
            let older = try read(Array(numbers.prefix(count)), figures, into: zero)
            #expect(older == Array(expected.prefix(count)) + figures.dropFirst(count).map { $0.value(zero) })
        }
        #expect(Set(figures.map(\.name)).count == figures.count)
        #expect(Set(figures.map(\.json)).count == figures.count)
    }

    @Test("each travels to its own place, whatever an older publisher lacks or a newer one has more")
    func places() throws {
        try Self.check(ChannelStatistics.figures, ChannelStatistics(channel: ""))
        try Self.check(ChannelStatistics.CopyStatus.figures, ChannelStatistics.CopyStatus())
        try Self.check(ChannelStatistics.GroupStatus.figures, ChannelStatistics.GroupStatus())
        try Self.check(ChannelStatistics.SubscriberStatus.figures, ChannelStatistics.SubscriberStatus())
    }

    @Test("a number that can't be is an error that names the figure")
    func ranges() {
        let zero = ChannelStatistics.SubscriberStatus()
        for (numbers, name) in [([UInt64.max], "budget"), ([1 << 33], "budget"), ([1, 2], "reserved")] {
            do {
                _ = try Self.read(numbers, ChannelStatistics.SubscriberStatus.figures, into: zero)
                Issue.record("\(numbers) were taken")
            } catch { #expect("\(error)".contains(name), "\(error)") }
        }
    }

    @Test("all have a member of their name in C, of a kind that holds them")
    func membersInC() throws {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let file = package.appending(path: "Sources/FrameShareCHeader/include/frameshare.h")
        let header = try String(contentsOf: file, encoding: .utf8)
        func check<Of>(_ name: String, _ figures: [Figure<Of>]) throws {
            let start = try #require(header.range(of: "struct \(name) {")).upperBound
            let end = try #require(header[start...].range(of: "};")).lowerBound
            let members = header[start..<end].split(separator: "\n").map { $0.split(separator: " ") }
            for figure in figures {
                let found = members.first { $0.count == 2 && $0[1] == "\(figure.name);" }
                #expect(
                    ["int32_t", "uint32_t", "int64_t", "uint64_t"].contains(found?[0] ?? ""),
                    "\(name).\(figure.name)"
                )
            }
        }
        try check("frameshare_channel_statistics", ChannelStatistics.figures)
        try check("frameshare_channel_statistics", ChannelStatistics.CopyStatus.figures)
        try check("frameshare_group_status", ChannelStatistics.GroupStatus.figures)
        try check("frameshare_subscriber_status", ChannelStatistics.SubscriberStatus.figures)
    }
}
