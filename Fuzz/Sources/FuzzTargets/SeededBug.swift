/// A reader that believes the length it finds, as `MetadataView` must not. It is here to be found: a fuzzer that doesn't
/// crash on this finds nothing.
func fuzzSeededBug(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress, bytes.count >= 8, bytes[0] > 0, bytes[1] == 2 else { return }
    var sum: UInt8 = 0
    for offset in 0..<Int(bytes[4]) { sum &+= start.load(fromByteOffset: 8 + offset, as: UInt8.self) }
    if sum == 1 { print(sum) }  // or the optimiser takes the reading out
}
