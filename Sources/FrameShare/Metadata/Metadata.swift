/// What belongs to a frame beside its pixels: exposure, gain, sensor timestamp, whatever the source tells.
///
/// Keeps the order of its keys. A source that publishes the same keys for every frame should keep one value and change
/// it: publishing encodes it in place and allocates nothing.
public struct Metadata: Sendable, Hashable, ExpressibleByDictionaryLiteral, Sequence {
    /// The keys and values in order. A key stands at most once.
    public private(set) var entries: [Entry] = []

    /// A key and its value.
    public struct Entry: Sendable, Hashable {
        /// 1 to 255 bytes of UTF-8.
        public var key: String
        public var value: MetadataValue
        public init(key: String, value: MetadataValue) { (self.key, self.value) = (key, value) }
    }

    public init() {}

    /// A key that stands twice keeps the last value.
    public init(dictionaryLiteral elements: (String, MetadataValue)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// Of any entries: a key that stands twice keeps its first place and its last value. Its cost goes with their number
    /// alone, whoever made them.
    init(collapsing entries: [Entry]) {
        var places: [String: Int] = [:]
        for entry in entries {
            if let place = places[entry.key] {
                self.entries[place].value = entry.value
            } else {
                places[entry.key] = self.entries.count
                self.entries.append(entry)
            }
        }
    }

    /// The value under a key; setting nil takes it out.
    public subscript(key: String) -> MetadataValue? {
        get { entries.first { $0.key == key }?.value }
        set {
            let index = entries.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): entries[index].value = value
            case (let index?, nil): entries.remove(at: index)
            case (nil, let value?): entries.append(Entry(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    public var isEmpty: Bool { entries.isEmpty }
    public var count: Int { entries.count }
    public func makeIterator() -> IndexingIterator<[Entry]> { entries.makeIterator() }
}
