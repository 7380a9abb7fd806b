internal import FrameShare
internal import Glibc

/// A publisher or subscriber process for tests of faults. It is told what to do by its arguments and by lines on its
/// standard input, says what happened by lines on its standard output, and ends with its input.
///
///     frameshare-test-peer publish FOLDER CHANNEL [KEY=VALUE ...]
///     frameshare-test-peer subscribe FOLDER CHANNEL [KEY=VALUE ...]
///     frameshare-test-peer crowd FOLDER CHANNEL [KEY=VALUE ...]
///     frameshare-test-peer faults FOLDER CHANNEL side=publish|subscribe [all]
///     frameshare-test-peer ask FOLDER CHANNEL [KEY=VALUE ...]
@main
struct TestPeer {
    static func main() async {
        ProcessState.closeInherited()
        let arguments = PeerArguments(Array(CommandLine.arguments.dropFirst()))
        if let user = arguments.number("uid") { ProcessState.become(UInt32(user)) }
        switch arguments.role {
        case "publish": PublishRole.run(arguments)
        case "subscribe": SubscribeRole.run(arguments)
        case "crowd": CrowdRole.run(arguments)
        case "faults": FaultRole.run(arguments)
        case "ask": await AskRole.run(arguments)
        default:
            say("usage: publish|subscribe|crowd|faults|ask FOLDER CHANNEL [KEY=VALUE ...]")
            exit(64)
        }
    }
}

/// Writes a line at once.
func say(_ line: String) {
    var bytes = Array((line + "\n").utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
        if count > 0 { bytes = bytes.dropFirst(count) } else if errno != EINTR { exit(0) }
    }
}
