import ArgumentParser
import CLinuxMedia
import FrameCommand
import FrameShare
import Glibc

/// `frameshare stop`
struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a source's hidden owner.",
        discussion: """
            A program that opens a source, such as 'frameshare watch /dev/video0', starts an owner for it, which ends by itself \
            after its last reader. This ends it now: its readers are told that the channel has ended. 'frameshare list' shows \
            which channels have one. A publisher that was started by hand or as a service is not ended.

            Examples:
              frameshare stop /dev/video0
              frameshare stop owned-video0-8ae27b1f6e0d3c55

            Exit code 3 when there is no such channel, 1 when it has no owner of yours.
            """
    )

    @Argument(help: "The channel, or the source.")
    var channel: String

    func run() throws {
        let directory = try ChannelDirectory.standard()
        let name = try SourceName(channel)
        let known = try directory.channels()
        let target = if let name, !known.contains(channel) { name.ownedChannel } else { channel }
        let monitor = try ChannelMonitor(channel: target, directory: directory)
        let statistics = try monitor.snapshot()
        guard statistics.isOwner, let listener = monitor.listener else {
            throw CommandFailure(
                "channel '\(target)' has no owner that a reader started: end its publisher (pid \(statistics.publisherPID)) yourself"
            )
        }
        guard listener.uid == geteuid() || geteuid() == 0 else {
            throw CommandFailure("the owner of channel '\(target)' is user \(listener.uid)'s")
        }
        let process = fs_pidfd_open(listener.pid)
        guard process >= 0 else { throw CommandFailure("pid \(listener.pid): \(String(cString: strerror(-process)))") }
        defer { close(process) }
        // The socket's number is that of the process which began to listen: another one may have it by now.
        var status = stat()
        guard statistics.publisherPID == listener.pid, stat("/proc/\(listener.pid)", &status) == 0,
            status.st_uid == listener.uid
        else { throw CommandFailure("pid \(listener.pid) is not the owner of channel '\(target)'") }
        // It answers still: so the number was its own when the descriptor was made.
        _ = try monitor.snapshot()
        let result = fs_pidfd_signal(process, SIGTERM)
        guard result == 0 else { throw CommandFailure("pid \(listener.pid): \(String(cString: strerror(-result)))") }
        var entry = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
        var hasEnded: Int32 = 0
        repeat { hasEnded = poll(&entry, 1, 10_000) } while hasEnded < 0 && errno == EINTR
        guard hasEnded > 0 else { throw CommandFailure("pid \(listener.pid) has not ended within 10 s") }
        Terminal.output.writeLine("ended the owner of \(statistics.sourceName), pid \(listener.pid)")
    }
}
