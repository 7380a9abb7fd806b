internal import Synchronization

@testable import LeaseProtocol

/// A lane in an allocation of exactly its size, in which any word can be overwritten.
final class HostileLane {
    let memory: LaneMemory
    private let base: UnsafeMutableRawPointer
    private let wordCount: Int

    init(depth: Int) {
        let byteCount = LaneMemory.size(depth: depth)
        wordCount = byteCount / 8
        base = .allocate(byteCount: byteCount, alignment: 64)
        base.initializeMemory(as: UInt64.self, repeating: 0, count: wordCount)
        memory = LaneMemory(at: base, depth: depth)
    }

    deinit { base.deallocate() }

    func scribble(_ value: UInt64, at word: Int) {
        (base + word % wordCount * 8).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
            .store(value, ordering: .relaxed)
    }

    /// What a hostile process writes: a ticket in a cell, bits in the released words, a count, or anything anywhere.
    func scribble(as input: inout Input) {
        switch input.byte() % 4 {
        case 0:
            let ticket = Ticket(offer: UInt64(input.byte()), slot: Int(input.byte() % 16) - 1)
            memory.cell(Int(input.byte()) % memory.depth).pointee.store(ticket.rawValue, ordering: .relaxed)
        case 1: memory.released(Int(input.byte()) % 16).pointee.store(input.integer(), ordering: .relaxed)
        case 2: memory.offered.pointee.store(UInt64(input.byte()), ordering: .relaxed)
        default: scribble(input.integer(), at: Int(input.integer() as UInt16))
        }
    }
}
