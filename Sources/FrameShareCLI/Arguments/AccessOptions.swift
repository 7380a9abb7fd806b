import ArgumentParser
import FrameShare

/// Who may connect to a channel that a command offers.
struct AccessOptions: ParsableArguments {
    @Option(
        help: .init("Of the channel's socket: who may connect. Left out: 0600, only you.", valueName: "octal"),
        transform: ModeArgument.parse
    )
    var mode: UInt32?

    @Option(help: .init("Of the channel's socket.", valueName: "name"))
    var group: String?

    @Option(
        name: .customLong("allow-uid"),
        help: .init("Only these users, by number or name, of those that the mode lets in; repeat.", valueName: "user"),
        transform: UserArgument.parse
    )
    var allowedUsers: [UInt32] = []

    var access: ChannelAccess {
        ChannelAccess(mode: mode ?? 0o600, group: group, allowedUsers: allowedUsers.isEmpty ? nil : allowedUsers)
    }
}
