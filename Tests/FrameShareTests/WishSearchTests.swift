import Glibc
import Testing

@testable import FrameShare

/// How a subscriber finds what it wants.
@Suite("Wishes", .timeLimit(.minutes(10)))
struct WishSearchTests {
    @Test("What a stream is already is read in place; the rate is asked of the channel")
    func inPlace() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": .small, "lores": .grey(8, 4)])
        var options = Subscriber.Options()
        options.directory = channel.directory
        let small = try Subscriber(channel: channel.name, wanting: .grey(8, 4), atMost: 10, options: options)
        #expect(small.streams.map(\.name) == ["lores"])
        #expect(publisher.statistics.subscribers.first?.interval == 100_000_000)
        let all = try Subscriber(channel: channel.name, wanting: Wish(rate: 5), stream: "main", options: options)
        #expect(all.streams.map(\.name) == ["main"])
    }

    @Test("More different wishes of a user than a channel may have are refused, and told why")
    func tooMany() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let prefix = Wish.channelPrefix(of: channel.name, user: geteuid())
        func options() -> Publisher.Options {
            var options = Publisher.Options()
            options.directory = channel.directory
            return options
        }
        var others = try (0..<WishSearch.mostWishes).map {
            try Publisher(channel: "\(prefix)\($0)", streams: ["main": .small], slots: 2, options: options())
        }
        defer { unlink("\(channel.directory.path)/.wishes-\(geteuid()).lock") }
        var subscription = Subscriber.Options()
        subscription.directory = channel.directory
        #expect(throws: WishError.tooMany(channel: channel.name, most: WishSearch.mostWishes)) {
            try Subscriber(channel: channel.name, wanting: .grey(8, 4), options: subscription)
        }
        // One of those that are there is no further one.
        let wish = Wish.grey(8, 4)
        others[0].close()
        others[0] = try Publisher(
            channel: wish.channelName(of: channel.name, stream: "", user: geteuid()),
            streams: ["main": .grey(8, 4)],
            slots: 2,
            options: options()
        )
        let small = try Subscriber(channel: channel.name, wanting: wish, options: subscription)
        #expect(small.channel == others[0].channel)
        for other in others { other.close() }
        withExtendedLifetime(publisher) {}
    }

    @Test("Names of derived channels are names of channels, and no two wishes share one")
    func names() {
        var names: Set<String> = []
        let sources = ["c", String(repeating: "n", count: 64), String(repeating: "n", count: 63) + "m"]
        let wishes: [Wish] = [
            .rgb(640, 360), .bgr(640, 360), .rgb(640, 361), Wish(width: 640, rate: 10), Wish(width: 640, rate: 10.5),
            Wish(crop: Crop(x: 1, y: 2, width: 3, height: 4)), Wish(crop: Crop(x: 1, y: 23, width: 3, height: 4)),
            Wish(rotation: .half), Wish(mirror: true), Wish(width: 640, filter: .nearest),
            Wish(
                width: 1234,
                height: 4321,
                format: .rgbBytes,
                rate: 29.97,
                crop: Crop(x: 1000, y: 2000, width: 3000, height: 4000),
                rotation: .quarter,
                mirror: true,
                filter: .nearest
            ),
        ]
        for source in sources {
            for wish in wishes {
                for stream in ["", "lores"] {
                    for user in [0, 1000, UInt32.max] as [UInt32] {
                        let name = wish.channelName(of: source, stream: stream, user: user)
                        #expect(ChannelName.isValid(name), "\(name)")
                        #expect(name.hasPrefix(Wish.channelPrefix(of: source, user: user)))
                        #expect(names.insert(name).inserted, "\(name)")
                    }
                }
            }
        }
    }

    @Test("A place in a conversion of a conversion leads back to the first picture")
    func place() {
        let half = OriginalPlace(xx: 2, xy: 0, x0: 0, yx: 0, yy: 2, y0: 0)
        let part = OriginalPlace(xx: 1, xy: 0, x0: 30, yx: 0, yy: 1, y0: 7)
        let (x, y) = half.followed(by: part).original(x: 5, y: 6)
        #expect(x == 40 && y == 19)
        #expect(OriginalPlace(half.value) == half)
        #expect(OriginalPlace(.doubles([1, 2, 3])) == nil && OriginalPlace(.doubles([.nan, 0, 0, 0, 0, 0])) == nil)
    }
}
