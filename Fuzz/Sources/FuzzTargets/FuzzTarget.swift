internal import Glibc

/// What can be fuzzed. All of it is in one program, since linking costs more than fuzzing; `FUZZ_TARGET` says which.
enum FuzzTarget: String, CaseIterable {
    case messages
    case metadata
    case publisherLane = "publisher-lane"
    case subscriberLane = "subscriber-lane"
    case names
    case layouts
    /// With FFmpeg's headers alone, as `sidecars`.
    case media
    case sidecars
    case seededBug = "seeded-bug"

    static let chosen: FuzzTarget = {
        if let folder = environment("FUZZ_WRITE_SEEDS") {
            Seeds.write(to: folder)
            _exit(0)  // libFuzzer takes exit for a crash
        }
        guard let name = environment("FUZZ_TARGET"), let target = FuzzTarget(rawValue: name) else {
            print("FUZZ_TARGET is to be one of: \(allCases.map(\.rawValue).joined(separator: " "))")
            exit(64)
        }
        return target
    }()

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    func run(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .messages: fuzzMessages(bytes)
        case .metadata: fuzzMetadata(bytes)
        case .publisherLane: fuzzPublisherLane(bytes)
        case .subscriberLane: fuzzSubscriberLane(bytes)
        case .names: fuzzNames(bytes)
        case .layouts: fuzzLayouts(bytes)
        #if FFmpeg
        case .media: fuzzMedia(bytes)
        case .sidecars: fuzzSidecars(bytes)
        #else
        case .media, .sidecars: preconditionFailure("built without FFmpeg")
        #endif
        case .seededBug: fuzzSeededBug(bytes)
        }
    }
}

/// What libFuzzer calls with each input. The bytes are an allocation of exactly their size, so that the address
/// sanitizer sees a read beyond them.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    FuzzTarget.chosen.run(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}
