import ArgumentParser

/// `frameshare v4l2`
struct V4L2: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "v4l2",
        abstract: "Run a program to which a channel is the camera /dev/video0.",
        discussion: """
            The program is not changed, and needs no kernel module and no root. A library that is loaded before it \
            answers for the device, in the channel's own memory. It can't help programs that are linked statically, are \
            set-user-ID, or make system calls by themselves (Go). It is a package of its own: frameshare-v4l2.

            Examples:
              frameshare v4l2 camera0 -- ffplay -f v4l2 /dev/video0
              frameshare v4l2 front back --device /dev/video4 -- motion
              frameshare v4l2 camera0:lores -- python3 detector.py

            The exit code is the program's; 126 or 127 when it can't be run.
            """
    )

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp(
            "Channels, each perhaps with --device and a path, then -- and the program with its arguments.",
            valueName: "argument"
        )
    )
    var arguments: [String] = []

    func run() throws {
        if arguments.first.map({ ["--help", "-h"].contains($0) }) ?? true { throw CleanExit.helpRequest(self) }
        try DoorProgram(name: "frameshare-v4l2", how: "Debian package frameshare-v4l2, or 'make v4l2'")
            .become(arguments)
    }
}
