import FrameShare
import Glibc
import Testing

extension ChannelError {
    /// What a wait for a frame throws at its end.
    static func noFrame(held: Int = 0, of budget: Int = 2) -> ChannelError {
        .timedOut(BudgetUse(held: held, budget: budget))
    }
}

/// A channel of one test, in a folder of its own that goes with it. Its name is found in no other test, so that its
/// descriptors can be told from theirs.
final class TestChannel: Sendable {
    let name: String
    let directory: ChannelDirectory

    init() throws {
        var template = Array("/tmp/fs-unit-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        directory = ChannelDirectory(path: path)
        name = "camera-" + path.suffix(6)
    }

    deinit {
        for file in ["\(name).sock", "\(name).sock.lock"] { unlink(directory.path + "/" + file) }
        rmdir(directory.path)
    }

    func publisher(
        _ streams: KeyValuePairs<String, ImageLayout> = ["main": .small],
        slots: Int = 4,
        _ configure: (inout Publisher.Options) -> Void = { _ in }
    ) throws -> Publisher {
        try Publisher(channel: name, streams: streams, slots: slots, options: options(configure))
    }

    func publisher(
        pool: FramePool,
        _ configure: (inout Publisher.Options) -> Void = { _ in }
    ) throws -> Publisher {
        try Publisher(channel: name, pool: pool, options: options(configure))
    }

    private func options(_ configure: (inout Publisher.Options) -> Void) -> Publisher.Options {
        var options = Publisher.Options()
        options.directory = directory
        configure(&options)
        return options
    }

    func subscriber(
        _ streams: [String] = [],
        _ policy: Policy = .latest,
        _ configure: (inout Subscriber.Options) -> Void = { _ in }
    ) throws -> Subscriber {
        var options = Subscriber.Options()
        options.directory = directory
        configure(&options)
        return try Subscriber(channel: name, streams: streams, policy: policy, options: options)
    }

    func monitor() throws -> ChannelMonitor {
        try ChannelMonitor(channel: name, directory: directory, timeout: .seconds(30))
    }

    /// How many of this process's descriptors are memory of this channel whose name begins so: `:main` for a stream's
    /// buffers, `:lane`, `:frames`.
    func descriptors(_ kind: String = "") -> Int { Self.descriptors(of: name, kind) }

    static func descriptors(of name: String, _ kind: String = "") -> Int {
        let prefix = "/memfd:frameshare:\(name)\(kind)"
        var count = 0
        var buffer = [CChar](repeating: 0, count: 512)
        guard let folder = opendir("/proc/self/fd") else { return -1 }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let number = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let length = readlink("/proc/self/fd/\(number)", &buffer, buffer.count)
            guard length > 0 else { continue }
            let target = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if target.hasPrefix(prefix) { count += 1 }
        }
        return count
    }
}

extension ImageLayout {
    /// 16x8 grey pixels, 128 bytes.
    static let small = grey(16, 8)

    static func grey(_ width: Int, _ height: Int) -> ImageLayout {
        ImageLayout(
            width: width,
            height: height,
            format: .r8,
            planes: [PlaneLayout(offset: 0, stride: width, size: width * height)]
        )
    }
}

extension Publisher {
    /// Publishes a frame in which every byte of every image is `value`; waits for a slot.
    @discardableResult
    func send(
        _ value: UInt8 = 0,
        _ description: FrameDescription = FrameDescription(),
        metadata: Metadata = [:]
    ) throws -> UInt64 {
        try publish(try filled(with: value), description, metadata: metadata)
    }

    /// As `send`, for where a slot may have to be waited for: it blocks none of Swift's threads.
    @discardableResult
    func sendWaiting(_ value: UInt8 = 0) async throws -> UInt64 {
        let slot = try await nextSlot(timeout: .seconds(600))
        slot.fill(with: value)
        return try publish(slot)
    }

    /// As `send`, where no slot may be free: nil, and nothing is counted.
    func trySend(_ value: UInt8 = 0) throws -> UInt64? {
        guard let slot = try tryNextSlot() else { return nil }
        slot.fill(with: value)
        return try publish(slot)
    }

    /// Why a slot can't be published; nil when it was.
    func refusal(of slot: consuming WritableSlot, metadata: Metadata = [:]) -> ChannelError? {
        do throws(ChannelError) {
            try publish(slot, metadata: metadata)
            return nil
        } catch {
            return error
        }
    }

    private func filled(with value: UInt8) throws -> WritableSlot {
        let slot = try nextSlotBlocking(timeout: .seconds(20))
        slot.fill(with: value)
        return slot
    }
}

extension WritableSlot {
    /// Makes every byte of every buffer of the slot `value`.
    borrowing func fill(with value: UInt8) {
        for index in streams.indices {
            guard let image = image(at: index) else { continue }
            for buffer in 0..<streams[index].layout.bufferCount {
                image.withUnsafeMutableBytes(buffer: buffer) { bytes in
                    for i in bytes.indices { bytes[i] = value }
                }
            }
        }
    }
}

extension Frame {
    /// A metadata value, copied out.
    borrowing func metadataValue(_ key: String) -> MetadataValue? { metadata[key] }

    /// One byte of a plane, copied out.
    borrowing func byte(_ offset: Int, plane: Int = 0, of stream: String = "main") -> UInt8 {
        self[stream].plane(plane).unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The value of all bytes of a stream's image; nil when they differ, or when there are none.
    borrowing func value(of stream: String = "main") -> UInt8? {
        self[stream].withBytes { bytes in
            guard bytes.byteCount > 0 else { return nil }
            let first = bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self)
            for i in 0..<bytes.byteCount where bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self) != first {
                return nil
            }
            return first
        }
    }
}

/// The frame, or slot, that must be there.
func present<T: ~Copyable>(
    _ value: consuming T?,
    sourceLocation: SourceLocation = #_sourceLocation
) throws -> T {
    guard let value else {
        Issue.record("there is none", sourceLocation: sourceLocation)
        throw NothingThere()
    }
    return value
}

private struct NothingThere: Error {}

extension Subscriber {
    /// What ``Frame/value(of:)`` says of the next frame, released at once; nil at the end of the channel.
    func nextValue(timeout: Duration? = nil) async throws -> UInt8? {
        guard let frame = try await next(timeout: timeout) else { return nil }
        return frame.value()
    }

    /// As ``nextValue(timeout:)``, blocking.
    func nextValueBlocking(timeout: Duration? = nil) throws -> UInt8? {
        guard let frame = try nextBlocking(timeout: timeout) else { return nil }
        return frame.value()
    }

    /// As ``nextValue(timeout:)``, for event loops.
    func tryNextValue() throws -> UInt8? {
        guard let frame = try tryNext() else { return nil }
        return frame.value()
    }

    /// The numbers of the frames until the channel ends.
    func numbersToTheEnd() async throws -> [UInt64] {
        var numbers: [UInt64] = []
        while let frame = try await next() { numbers.append(frame.number) }
        return numbers
    }

    /// The first byte of every frame that is there now, each released at once.
    func drain(_ stream: String = "main") throws -> [UInt8] {
        var values: [UInt8] = []
        while let frame = try tryNext() { values.append(frame.value(of: stream) ?? 255) }
        return values
    }
}

/// Waits until a condition holds. A suite's time limit ends a wait in vain.
func eventually(_ condition: () throws -> Bool) async throws {
    while try !condition() { try await Task.sleep(for: .milliseconds(2)) }
}

/// Whether a descriptor is readable now, or becomes so in the given time.
func isReadable(_ descriptor: Int32, within milliseconds: Int32 = 0) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, milliseconds) > 0 && entry.revents & Int16(POLLIN) != 0
}
