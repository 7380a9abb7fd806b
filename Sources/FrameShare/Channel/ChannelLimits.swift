/// Numbers that several parts of a channel keep to, and that its errors name.
enum ChannelLimits {
    /// The most subscribers of one channel: a waiting publisher sleeps on a word of each, and the kernel takes 128.
    static let subscribers = 120
    /// The most bytes of a worker's reply.
    static let replySize = 64 << 20
    /// The most bytes of metadata that a frame carries where nobody asks for more or fewer.
    static let usualMetadataCapacity = 65_536
}
