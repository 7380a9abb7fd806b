import ArgumentParser
import FrameCommand
import FrameShare

/// Which channel a command looks at.
struct ChannelArgument: ParsableArguments {
    @Argument(
        help:
            "The channel, or a source: a camera's device such as /dev/video0, libcamera[:ID], or a file. A source that nobody publishes gets a hidden owner, which ends after its last reader. May be left out where there is only one channel."
    )
    var channel: String?

    /// A channel's name as it is; for a source, that of the channel which publishes it.
    private static func channel(of text: String, _ stop: StopRequest?) throws -> String {
        guard try SourceName(text) != nil, try !ChannelDirectory.standard().channels().contains(text) else {
            return text
        }
        let owner = SourceOwner()
        guard let stop else { return try owner.channel(of: text) }
        return try stop.leavingAtOnce { try owner.channel(of: text) }
    }

    /// The channel named, or the only one there is. A stop while publishers are asked for it leaves at once.
    func resolve(_ stop: StopRequest? = nil) throws -> String {
        if let channel { return try Self.channel(of: channel, stop) }
        if let stop { return try stop.leavingAtOnce { try resolve() } }
        let directory = try ChannelDirectory.standard()
        var names = try directory.channels()
        // Sockets that a killed publisher has left behind are no choice.
        if names.count > 1 {
            names = ChannelLooks.all(names) { name throws(ChannelError) in
                _ = try ChannelMonitor(channel: name, directory: directory)
            }
            .filter { if case .success = $0.result { true } else { false } }.map(\.name)
        }
        if let only = names.first, names.count == 1 { return only }
        if names.isEmpty {
            throw CommandFailure(
                "there is no channel in \(directory.path). Start one: 'frameshare publish'",
                code: .channelLost
            )
        }
        throw CommandFailure("there are several channels: name one of \(names.joined(separator: ", "))", code: .usage)
    }
}
