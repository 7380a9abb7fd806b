internal import CLinuxMedia
internal import FrameMemory

/// What the pages that a publisher shares begin with: `struct fs_page_header`.
struct PageHeader {
    static let channelPage = PageHeader(
        magic: FS_CHANNEL_PAGE_MAGIC,
        size: MemoryLayout<fs_channel_page>.size,
        name: "channel page"
    )
    static let wakePage = PageHeader(
        magic: FS_WAKE_PAGE_MAGIC,
        size: MemoryLayout<fs_wake_page>.size,
        name: "wake page"
    )
    static let frameTable = PageHeader(
        magic: FS_FRAME_TABLE_MAGIC,
        size: MemoryLayout<fs_frame_table>.size,
        name: "frame table"
    )

    let magic: UInt32
    /// How many bytes of the page this program knows.
    let size: Int
    /// For people.
    let name: String

    func write(to base: UnsafeMutableRawPointer) {
        let version = ProtocolVersion.current
        base.storeBytes(
            of: fs_page_header(magic: magic, major: version.major, minor: version.minor, size: UInt16(clamping: size)),
            as: fs_page_header.self
        )
    }

    /// Checks the header of a page that a publisher wrote. A page of a newer minor version may be longer than this program
    /// knows; none may be shorter.
    /// - Parameter base: where at least ``size`` bytes are mapped
    func check(_ base: UnsafeMutableRawPointer) throws(ChannelError) {
        // Loaded once: the publisher can change it at any moment.
        let found = base.load(as: fs_page_header.self)
        guard found.magic == magic else { throw .protocolViolation("this is no \(name)") }
        let version = ProtocolVersion(major: found.major, minor: found.minor)
        guard version.major == ProtocolVersion.current.major else {
            throw .versionMismatch(ours: .current, theirs: version)
        }
        guard Int(found.size) >= size else {
            throw .protocolViolation("a \(name) of \(found.size) bytes; it has at least \(size)")
        }
    }

    /// Maps the first bytes of a page that a publisher sent, for reading, once its seals and size were checked.
    static func adopt(_ descriptor: consuming OwnedDescriptor, size: Int) throws(ChannelError) -> SharedMemory {
        do throws(MemoryError) {
            return try SharedMemory(adopting: descriptor, size: size, access: .read)
        } catch {
            throw .memory(error)
        }
    }
}
