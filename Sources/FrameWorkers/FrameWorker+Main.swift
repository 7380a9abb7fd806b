internal import FrameShare
internal import Glibc
internal import UnixSignals

extension FrameWorker {
    /// Runs one worker: `PROGRAM [CHANNEL]`. The channel, and the group, may also be in `FRAMESHARE_CHANNEL` and
    /// `FRAMESHARE_GROUP`, as `frameshare workers` sets them.
    ///
    /// Exit codes: 0 stopped in order, or the channel has ended; 1 failed; 3 the channel is not there, or was lost; 64 wrong
    /// usage.
    @concurrent
    public static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.contains("--help") || arguments.contains("-h") {
            say(usage, to: STDOUT_FILENO)
            exit(0)
        }
        guard let channel = arguments.first ?? environment("FRAMESHARE_CHANNEL"), arguments.count <= 1 else {
            say(usage, to: STDERR_FILENO)
            exit(64)
        }
        // Before anything else: a signal that comes meanwhile is kept.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        var configuration = configuration
        if let group = environment("FRAMESHARE_GROUP") { configuration.group = group }
        do {
            if let text = environment("FRAMESHARE_RATE") {
                guard let rate = Double(text) else {
                    say(
                        "\(programName): FRAMESHARE_RATE is '\(text)'; it is a number of frames a second",
                        to: STDERR_FILENO
                    )
                    exit(64)
                }
                configuration.atMost = rate
            }
            let runner = try WorkerRunner(try await Self(), channel: channel, configuration: configuration)
            let stopping = Task {
                for await _ in signals { runner.stop() }
            }
            // Started by 'frameshare workers': its end, however it comes, is ours.
            if environment("FRAMESHARE_WORKER") != nil {
                try BackgroundThread.start(name: "fs-input") { stopAtEndOfInput(runner) }
            }
            try await runner.run()
            stopping.cancel()
        } catch let error as ChannelError {
            say("\(programName): \(error)", to: STDERR_FILENO)
            exit(error.isLostChannel ? 3 : 1)
        } catch {
            say("\(programName): \(error)", to: STDERR_FILENO)
            exit(1)
        }
        exit(0)
    }

    private static var programName: String {
        CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "worker"
    }

    private static var usage: String {
        """
        usage: \(programName) [CHANNEL]

        Works on the frames that group '\(configuration.group)' of a channel is given, and answers them.
        The channel may also be in FRAMESHARE_CHANNEL, another group in FRAMESHARE_GROUP.

        Several of them, started again when they die:
          frameshare workers CHANNEL --count 4 -- ./\(programName)
        """
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        return value.pointee == 0 ? nil : PathText.text(cString: value)
    }

    private static func say(_ text: String, to descriptor: Int32) {
        let bytes = Array((text + "\n").utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}

private func stopAtEndOfInput<Worker: FrameWorker>(_ runner: WorkerRunner<Worker>) {
    var byte: UInt8 = 0
    while true {
        let count = read(STDIN_FILENO, &byte, 1)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { break }
    }
    runner.stop()
}

extension ChannelError {
    fileprivate var isLostChannel: Bool {
        switch self {
        case .noSuchChannel, .publisherLost, .sourceFailed, .disconnected, .handshakeTimeout: true
        default: false
        }
    }
}
