import Synchronization

@testable import LeaseProtocol

/// A lane in ordinary memory: the rules of the lane need no kernel.
// @unchecked: an address that never changes; the words behind it are only touched as atomics while threads share it.
final class PlainLane: @unchecked Sendable {
    let memory: LaneMemory
    let byteCount: Int
    private let base: UnsafeMutableRawPointer

    init(depth: Int) {
        byteCount = LaneMemory.size(depth: depth)
        base = .allocate(byteCount: byteCount, alignment: 64)
        base.initializeMemory(as: UInt64.self, repeating: 0, count: byteCount / 8)
        memory = LaneMemory(at: base, depth: depth)
    }

    deinit { base.deallocate() }

    /// The words that the rules depend on, for pools of up to 64 slots: `offered`, `released`, and the cells.
    var words: [UInt64] {
        get {
            [
                memory.offered.pointee.load(ordering: .relaxed), memory.released(0).pointee.load(ordering: .relaxed),
            ] + (0..<memory.depth).map { memory.cell($0).pointee.load(ordering: .relaxed) }
        }
        set {
            memory.offered.pointee.store(newValue[0], ordering: .relaxed)
            memory.released(0).pointee.store(newValue[1], ordering: .relaxed)
            for cell in 0..<memory.depth { memory.cell(cell).pointee.store(newValue[2 + cell], ordering: .relaxed) }
        }
    }

    /// Overwrites any word of the lane, as a hostile process can.
    func scribble(_ value: UInt64, at word: Int) {
        (base + word * 8).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(value, ordering: .relaxed)
    }

    /// How many 64-bit words the lane has.
    var wordCount: Int { byteCount / 8 }
    /// Which of them are cells, and which is `offered`, just before them.
    var cellWords: Range<Int> { (wordCount - memory.depth)..<wordCount }
    var offeredWord: Int { cellWords.lowerBound - 1 }
}

/// Both sides of one lane.
final class LanePair {
    let words: PlainLane
    var offers: LaneOffers
    var takes: LaneTakes

    init(depth: Int, slots: Int) {
        words = PlainLane(depth: depth)
        offers = LaneOffers(memory: words.memory, slots: slots)
        takes = LaneTakes(memory: words.memory, slots: slots)
    }

    deinit { offers.freeBook() }
}

extension SlotSet {
    /// The slots in it, lowest first.
    var members: [Int] {
        var result: [Int] = []
        // swift-format-ignore: ReplaceForEachWithForLoop
        forEach { result.append($0) }
        return result
    }
}
