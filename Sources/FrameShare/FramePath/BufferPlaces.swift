internal import FrameMemory
internal import LeaseProtocol

/// Where the buffers of a generation lie, in which of the descriptors that come with it: many slots share one, as a rule.
///
/// Since protocol 3.1. To an older reader each buffer has to be sent as a descriptor of its own, from its first byte on.
struct BufferPlaces: Equatable {
    /// The same buffer of some slots that follow each other, evenly spaced.
    struct Run: Equatable {
        var slots: Int
        /// The first slot's descriptor, and how many further on the next slot's is: 0 where all share one.
        var descriptor: Int
        var descriptorStep: Int
        /// Where the first slot's buffer begins in its descriptor, and how much further on the next slot's does, in bytes.
        var offset: Int
        var stride: Int
    }

    /// What a reader must know to take a generation with places.
    static let version = ProtocolVersion(major: 3, minor: 1)
    /// The most runs of a generation: their message stays well below the longest.
    static let maximumRuns = 1024
    static let maximumDescriptors = SlotSet.capacity * Stream.maximumCount * 4

    var descriptorCount: Int
    /// `runs[stream][buffer]`: together all slots, in order.
    var runs: [[[Run]]]

    /// Of buffers that have a descriptor each, slot by slot, in it stream by stream.
    init(slots: Int, buffersOfStreams counts: [Int]) {
        let each = counts.reduce(0, +)
        descriptorCount = slots * each
        var first = 0
        runs = counts.map { count in
            defer { first += count }
            return (0..<count).map { buffer in
                [Run(slots: slots, descriptor: first + buffer, descriptorStep: each, offset: 0, stride: 0)]
            }
        }
    }

    init(descriptorCount: Int, runs: [[[Run]]]) { (self.descriptorCount, self.runs) = (descriptorCount, runs) }

    /// Where `buffers[slot][stream][buffer]` lie, and the descriptors in the order that the places count them.
    static func of(_ buffers: [[[FrameBuffer]]]) -> (places: BufferPlaces, descriptors: [Int32]) {
        var numbers: [ObjectIdentifier: Int] = [:]
        var descriptors: [Int32] = []
        var runs = buffers.first.map { $0.map { $0.map { _ in [Run]() } } } ?? []
        for slot in buffers {
            for (stream, parts) in slot.enumerated() {
                for (i, buffer) in parts.enumerated() {
                    let id = ObjectIdentifier(buffer.memory)
                    let number = numbers[id] ?? descriptors.count
                    if number == descriptors.count {
                        numbers[id] = number
                        descriptors.append(buffer.descriptor)
                    }
                    append(number, buffer.offset, to: &runs[stream][i])
                }
            }
        }
        return (BufferPlaces(descriptorCount: descriptors.count, runs: runs), descriptors)
    }

    private static func append(_ descriptor: Int, _ offset: Int, to runs: inout [Run]) {
        guard let last = runs.indices.last else {
            runs.append(Run(slots: 1, descriptor: descriptor, descriptorStep: 0, offset: offset, stride: 0))
            return
        }
        let run = runs[last]
        let (step, stride) = (descriptor - run.descriptor, offset - run.offset)
        if run.slots == 1, step >= 0, stride >= 0 {
            (runs[last].slots, runs[last].descriptorStep, runs[last].stride) = (2, step, stride)
        } else if step == run.slots * run.descriptorStep, stride == run.slots * run.stride {
            runs[last].slots += 1
        } else {
            runs.append(Run(slots: 1, descriptor: descriptor, descriptorStep: 0, offset: offset, stride: 0))
        }
    }

    var runCount: Int { runs.joined().reduce(0) { $0 + $1.count } }

    /// What is wrong with it, for such an offer; nil: nothing. Nothing that a peer says overflows here.
    func fault(for offer: GenerationOffer) -> String? {
        guard runs.count == offer.streams.count else { return "places of \(runs.count) streams" }
        guard (1...Self.maximumDescriptors).contains(descriptorCount) else { return "\(descriptorCount) descriptors" }
        for (buffers, stream) in zip(runs, offer.streams) {
            guard buffers.count == stream.bufferSizes.count else { return "places of \(buffers.count) buffers" }
            for runs in buffers {
                guard runs.reduce(0, { $0 + $1.slots }) == offer.slots else { return "places of other slots" }
                for run in runs {
                    let last = run.descriptor + (run.slots - 1) * run.descriptorStep
                    guard run.slots >= 1, last < descriptorCount else { return "a place in descriptor \(last)" }
                    for place in [run.offset, run.stride] where place % MemoryPage.size != 0 {
                        return "a place at byte \(place), where no page begins"
                    }
                }
            }
        }
        return nil
    }

    /// Where a buffer lies: its descriptor, and where it begins in that, in bytes. Nil beyond the places.
    func place(slot: Int, stream: Int, buffer: Int) -> (descriptor: Int, offset: Int)? {
        var slot = slot
        for run in runs[stream][buffer] {
            if slot < run.slots {
                return (run.descriptor + slot * run.descriptorStep, run.offset + slot * run.stride)
            }
            slot -= run.slots
        }
        return nil
    }
}
