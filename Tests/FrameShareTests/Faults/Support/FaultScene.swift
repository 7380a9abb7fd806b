import Glibc
import PeerTesting
import Testing

/// A camera, and one good subscriber with a reserved queue: whatever a test does beside them must not be felt by either.
///
/// `run` checks that at the end, as every fault has to: the camera lost nothing, the good subscriber saw every frame with
/// every pixel right, and the publisher's descriptors, shared mappings and free slots are where they were.
final class FaultScene {
    let folder: PeerFolder
    let publisher: PeerProcess
    let good: PeerProcess
    /// The publisher's state with nobody but the good subscriber.
    let before: Report

    private init(_ options: [String]) async throws {
        folder = try PeerFolder()
        let command = PeerProcess.besideTests("frameshare-test-peer")
        publisher = try PeerProcess([command, "publish", folder.path, "camera"] + options)
        try await publisher.line("publishing")
        good = try await folder.subscriber("name=good", "policy=queue:64", "reserve")
        before = try await publisher.report()
    }

    static func run(_ options: String..., body: (FaultScene) async throws -> Void) async throws {
        let scene = try await FaultScene(options)
        try await scene.publishMore(10)
        try await body(scene)
        try await scene.publishMore(10)
        try await scene.checkUndisturbed()
    }

    /// Waits until the camera has published so many frames more.
    func publishMore(_ frames: Int) async throws {
        let target = try await publisher.report()["published"] + frames
        while try await publisher.report()["published"] < target { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// Waits until what the publisher says satisfies `condition`.
    @discardableResult
    func publisherSays(_ what: String, _ condition: (Report) throws -> Bool) async throws -> Report {
        var latest = Report("")
        do {
            while true {
                latest = try await publisher.report()
                if try condition(latest) { return latest }
                try await Task.sleep(for: .milliseconds(5))
            }
        } catch let error as CancellationError {
            Issue.record("in vain for '\(what)': \(latest)")
            throw error
        }
    }

    /// Waits until so many subscribers are attached beside the good one.
    func others(_ count: Int) async throws {
        try await publisherSays("\(count) other subscribers") { try $0["subscribers"] == count + 1 }
    }

    private func checkUndisturbed() async throws {
        let last = try await publisher.ask("pause", "paused")["last"]
        var seen = try await good.report()
        while try seen["last"] != last && seen.description.hasPrefix("report") {
            try await Task.sleep(for: .milliseconds(5))
            seen = try await good.report()
        }
        try #expect(seen["gaps"] == 0 && seen["bad"] == 0 && seen["lost"] == 0, "\(seen)")
        // A peer that was killed is noticed a moment later.
        let after = try await publisherSays("all as before") { now in
            try now["subscribers"] == 1 && now["free"] == now["slots"] && now["retired"] == 0
                && now["fds"] == before["fds"] && now["maps"] == before["maps"]
        }
        try #expect(after["lostNoFreeSlot"] == 0 && after["lostBySource"] == 0, "\(after)")
        try #expect(after["reserved"] == before["reserved"])
        #expect(publisher.kernelState != "Z")
    }
}
