import ArgumentParser

/// `frameshare pipewire`
struct PipeWire: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipewire",
        abstract: "Make a channel a camera of PipeWire, or publish one of PipeWire's.",
        discussion: """
            Browsers and desktop applications find the channel among their cameras. PipeWire's buffers are the \
            channel's own, so nothing is copied; while nobody looks, the channel is not read. With --publish, a camera or \
            a screen cast of PipeWire's becomes a channel. It is a package of its own: frameshare-pipewire, whose --help \
            has all options.

            Examples:
              frameshare pipewire camera0
              frameshare pipewire camera0 --description "Front door" --once
              frameshare pipewire --publish screen --from 57
            """
    )

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The channel and options, as 'frameshare-pipewire --help' has them.", valueName: "argument")
    )
    var arguments: [String] = []

    func run() throws {
        if arguments.first.map({ ["--help", "-h"].contains($0) }) ?? true { throw CleanExit.helpRequest(self) }
        try DoorProgram(name: "frameshare-pipewire", how: "Debian package frameshare-pipewire, or 'make pipewire'")
            .become(arguments)
    }
}
