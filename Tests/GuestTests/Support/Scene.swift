import CommandTesting
import Foundation
import FrameShare
import Glibc
import Testing

/// A publisher process on a channel of its own, and the subscribers that a test starts.
final class Scene {
    static let channel = "cam"
    static let policies = ["latest", "queue:4", "every-frame"]

    let folder: ChannelFolder
    let publisher: CommandRun
    private let directory: ChannelDirectory

    /// Starts `frameshare publish --json` and waits until it has published a frame.
    /// - Parameter below: a program that runs it, with that program's arguments
    init(_ arguments: [String], folder: ChannelFolder, below: [String] = []) throws {
        self.folder = folder
        directory = ChannelDirectory(path: folder.path)
        let command = below + [CommandRun.executable.path, "publish", "--channel", Self.channel, "--json"] + arguments
        publisher = try CommandRun(
            Array(command.dropFirst()),
            of: URL(fileURLWithPath: command[0]),
            in: folder
        )
        try wait("frames are published") { ($0?.published ?? 0) > 0 }
    }

    var socket: String { "\(folder.path)/\(Self.channel).sock" }

    /// The channel's state; nil while nobody publishes.
    var statistics: ChannelStatistics? {
        get throws {
            do {
                return try ChannelMonitor(channel: Self.channel, directory: directory, timeout: .seconds(60)).snapshot()
            } catch ChannelError.noSuchChannel, ChannelError.publisherLost, ChannelError.closed {
                return nil
            }
        }
    }

    /// Waits until the channel is as wanted, as long as its publisher runs.
    func wait(_ what: String, _ holds: (ChannelStatistics?) throws -> Bool) throws {
        try Guest.wait(what) {
            try Guest.checkRuns(publisher)
            return try holds(statistics)
        }
    }

    /// Waits until each of these subscribers has taken so many frames.
    func wait(for runs: [CommandRun], frames: UInt64) throws {
        try wait("each subscriber has taken \(frames) frames") { now in
            for run in runs { try Guest.checkRuns(run) }
            let taken = now?.subscribers.reduce(into: [:]) { $0[$1.pid] = $1.delivered } ?? [:]
            return runs.allSatisfy { taken[$0.pid, default: 0] >= frames }
        }
    }

    /// Starts `frameshare watch --json`.
    func watch(_ policy: String, _ more: String...) throws -> CommandRun {
        try CommandRun(["watch", Self.channel, "--policy", policy, "--json"] + more, in: folder)
    }

    /// Asks subscribers to end, which they must do in order, and returns what each tells of itself.
    func finish(_ runs: [CommandRun]) throws -> [Document] {
        for run in runs { run.send(SIGTERM) }
        return try runs.map { run in
            let outcome = run.wait()
            #expect(outcome.code == 0, "\(outcome.errors)\(outcome.output)")
            return try #require(try Document.lines(outcome.output).last)
        }
    }

    func finish(_ run: CommandRun) throws -> Document { try #require(try finish([run]).first) }

    /// Waits until no subscriber is left and all slots are back.
    func waitUntilAllIsBack() throws {
        try wait("all slots are back") { now in
            now.map { $0.subscribers.isEmpty && $0.slotsFree + $0.slotsAtSource == $0.slots } ?? false
        }
    }

    /// Ends the publisher, which must do it in order.
    func close() throws {
        publisher.send(SIGTERM)
        let outcome = publisher.wait()
        #expect(outcome.code == 0, "\(outcome.errors)\(outcome.output)")
        #expect(folder.sockets == [])
    }

    deinit { if publisher.isRunning { publisher.send(SIGKILL) } }
}
