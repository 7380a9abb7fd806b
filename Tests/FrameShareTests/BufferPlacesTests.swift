import FrameMemory
import Testing

@testable import FrameShare

/// Where the buffers of a generation lie, as a reader is told.
@Suite("Places of buffers")
struct BufferPlacesTests {
    private func memory(_ count: Int, size: Int, together: Bool = true) throws -> [FrameBuffer] {
        try BufferAllocator(preference: .memfd)
            .allocate(count: count, size: size, name: "frameshare:places", together: together).buffers
    }

    private func offer(slots: Int, sizes: [Int] = [100]) throws -> GenerationOffer {
        guard case .generation(var offer) = MessageTests.all[4] else { throw NotAGeneration() }
        (offer.slots, offer.copySlots) = (slots, 0)
        offer.streams = [offer.streams[1]]
        offer.streams[0].bufferSizes = sizes
        return offer
    }
    private struct NotAGeneration: Error {}

    /// Each buffer is found again where it was said to be.
    private func expectFound(_ slots: [[[FrameBuffer]]]) throws -> BufferPlaces {
        let (places, descriptors) = BufferPlaces.of(slots)
        #expect(places.descriptorCount == descriptors.count)
        #expect(Set(descriptors).count == descriptors.count, "each is sent once")
        for (slot, streams) in slots.enumerated() {
            for (stream, buffers) in streams.enumerated() {
                for (i, buffer) in buffers.enumerated() {
                    let place = try #require(places.place(slot: slot, stream: stream, buffer: i))
                    #expect(descriptors[place.descriptor] == buffer.descriptor && place.offset == buffer.offset)
                }
            }
        }
        return places
    }

    @Test("slots in one descriptor are one run, however many they are")
    func oneRun() throws {
        let places = try expectFound(try memory(1000, size: 100).map { [[$0]] })
        #expect(places.descriptorCount == 1 && places.runCount == 1)
        #expect(places.fault(for: try offer(slots: 1000)) == nil)
        #expect(places.place(slot: 1000, stream: 0, buffer: 0) == nil)
    }

    @Test("buffers with a descriptor each, slots for copies behind them, and slots out of order are found, too")
    func others() throws {
        let (own, copies) = (try memory(5, size: 100, together: false), try memory(3, size: 100))
        let mixed = try expectFound((own + copies).map { [[$0]] })
        #expect(mixed.descriptorCount == 6 && mixed.runCount == 2)
        let streams = zip(try memory(6, size: 100), zip(try memory(6, size: 5000), try memory(6, size: 9000)))
        let planes = try expectFound(streams.map { [[$0], [$1.0, $1.1]] })
        #expect(planes.descriptorCount == 3 && planes.runCount == 3)
        let shuffled = try expectFound([3, 1, 4, 0, 2].map { [[own[$0]], [copies[$0 % 3]]] })
        #expect(shuffled.descriptorCount == 6)
    }

    @Test("a pool whose slots lie in no order that can be told is refused in words, before anybody joins")
    func noOrder() throws {
        let buffers = try memory(1024, size: 128)
        // Each next one is nearer, so no two steps are alike.
        let order = (0..<1024).map { $0 % 2 == 0 ? $0 / 2 : 1024 - 1 - $0 / 2 }
        let names = ["a", "b", "c", "d"]
        let pool = try FramePool(
            streams: names.map { Stream(name: $0, layout: .small) },
            slots: order.map { slot in names.map { _ in [buffers[slot]] } }
        )
        let channel = try TestChannel()
        let error = #expect(throws: ChannelError.self) { try channel.publisher(pool: pool) }
        #expect(error?.description.contains("in the order in which they were allocated") ?? false, "\(error as Any)")
    }
}
