import LeaseProtocol
import Testing

@Suite("A set of slots")
struct SlotSetTests {
    @Test("it agrees with an ordinary set over thousands of random changes")
    func agreesWithSet() {
        var random = SeededGenerator(seed: 1)
        var set = SlotSet()
        var model: Set<Int> = []
        for _ in 0..<5000 {
            let slot = Int.random(in: -3..<SlotSet.capacity + 3, using: &random)
            if Bool.random(using: &random) {
                set.insert(slot)
                if (0..<SlotSet.capacity).contains(slot) { model.insert(slot) }
            } else {
                set.remove(slot)
                model.remove(slot)
            }
            let asked = Int.random(in: -3..<SlotSet.capacity + 3, using: &random)
            guard set.contains(asked) == model.contains(asked), set.count == model.count else {
                Issue.record("they differ after slot \(slot)")
                return
            }
        }
        #expect(set.members == model.sorted())
        #expect(set.first == model.min())
        #expect(set.isEmpty == model.isEmpty)
    }

    @Test("the set of the first slots has exactly those, at both sides of each word's end")
    func below() {
        for count in [0, 1, 63, 64, 65, 127, 128, 1023, 1024] {
            let set = SlotSet(below: count)
            #expect(set.members == Array(0..<count))
        }
        #expect(SlotSet(below: -1).isEmpty)
        #expect(SlotSet(below: 5000).count == SlotSet.capacity)
    }

    @Test("union and difference take every word into account")
    func unionAndDifference() {
        var low = SlotSet()
        var high = SlotSet()
        for slot in [0, 63, 500] { low.insert(slot) }
        for slot in [500, 1023] { high.insert(slot) }
        var both = low
        both.formUnion(high)
        #expect(both.members == [0, 63, 500, 1023])
        both.subtract(low)
        #expect(both.members == [1023])
    }

    @Test("a loop that throws stops there")
    func throwingLoop() {
        struct Stop: Error {}
        var seen: [Int] = []
        #expect(throws: Stop.self) {
            // swift-format-ignore: ReplaceForEachWithForLoop
            try SlotSet(below: 10).forEach { slot in
                seen.append(slot)
                if slot == 3 { throw Stop() }
            }
        }
        #expect(seen == [0, 1, 2, 3])
    }
}
