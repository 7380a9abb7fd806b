internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import Synchronization

/// The page on whose word the readers of one user sleep. The publisher writes it, and only that user's subscribers get it.
///
/// A page for each user: whoever can read a futex word can wake its sleepers, or move them to a word of its own
/// (futex(2): `FUTEX_WAKE`, `FUTEX_REQUEUE`), and the kernel's seals don't keep it from that. Programs of one user can stop
/// each other anyway; those of different users have no such word in common.
// @unchecked: `word` points into `memory`, which is kept beside it, and is an atomic.
struct WakePage: @unchecked Sendable {
    /// What the kernel says of every user that has no number in the publisher's user namespace (user_namespaces(7)). It
    /// may stand for many users, so each subscriber with this number has a page of its own. A setting: 65534 unless
    /// `/proc/sys/kernel/overflowuid` says otherwise.
    static let unknownUser: UInt32 = {
        let file = open("/proc/sys/kernel/overflowuid", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 65534 }
        defer { close(file) }
        var digits = [UInt8](repeating: 0, count: 16)
        let count = read(file, &digits, digits.count)
        guard count > 0 else { return 65534 }
        let text = digits[..<count].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return UInt32(String(decoding: text, as: UTF8.self)) ?? 65534
    }()

    /// The most threads of one user that the publishing thread wakes. The kernel walks all sleepers of a word during one
    /// call: a reader that parks a crowd there is to hold up its own user alone. The control thread wakes those beyond.
    static let mostWoken: Int32 = 256
    /// The most threads that the control thread wakes for one crowd and frame.
    static let mostOfCrowd: Int32 = 16_384

    private static let size = MemoryLayout<fs_wake_page>.size

    let memory: SharedMemory
    let word: WakeWord

    /// Makes a page, sealed against all writers but this process.
    init(creating name: String) throws(MemoryError) {
        memory = try SharedMemory(creating: "frameshare:\(name):wake", size: Self.size, readersMayWrite: false)
        let base = memory.mapping.baseAddress
        PageHeader.wakePage.write(to: base)
        word = WakeWord(in: base)
    }

    /// Maps the page that a publisher sent, for reading.
    init(adopting descriptor: consuming OwnedDescriptor) throws(ChannelError) {
        memory = try PageHeader.adopt(descriptor, size: Self.size)
        word = WakeWord(in: memory.mapping.baseAddress)
        try PageHeader.wakePage.check(memory.mapping.baseAddress)
    }
}

/// The address of a wake page's futex word.
///
/// Invariant: whoever reads or bumps the word keeps its page mapped meanwhile. ``wakeSleepers()`` needs no page: the kernel
/// takes the address as a number. Where the page is gone it answers `EFAULT`; where something else is mapped there by
/// now, its sleepers wake once for nothing, which every user of a futex has to bear (futex(2)).
struct WakeWord: Equatable, @unchecked Sendable {  // @unchecked: the address of an atomic
    private let pointer: UnsafeMutablePointer<Atomic<UInt32>>

    /// - Parameter page: where a `struct fs_wake_page` is mapped
    fileprivate init(in page: UnsafeMutableRawPointer) {
        pointer = (page + 8).assumingMemoryBound(to: Atomic<UInt32>.self)  // the offset is asserted in its header
    }

    /// Acquiring: what the publisher did before it bumped the word is seen, and an announcement of sleep that follows
    /// can't come before this look.
    var value: UInt32 { pointer.pointee.load(ordering: .acquiring) }

    /// Keeps those from sleeping who have noted the word's value already. The publisher's to call.
    func bump() {
        // Releasing: what came before it is seen by those that see the bump.
        pointer.pointee.wrappingAdd(1, ordering: .acquiringAndReleasing)
    }

    /// Wakes the threads that sleep on the word, in any process.
    /// - Parameter count: at most so many
    /// - Returns: how many there were
    @discardableResult
    func wakeSleepers(atMost count: Int32) -> Int32 {
        fs_futex_wake(UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt32.self), count)
    }

    /// Sleeps while the word is `seen`, for so long at most. Returns 0 or a negative errno.
    func sleep(while seen: UInt32, nanoseconds: Int64) -> Int32 {
        fs_futex_wait(UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt32.self), seen, nanoseconds)
    }
}
