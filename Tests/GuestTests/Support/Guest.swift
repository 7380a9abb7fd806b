import CommandTesting
import Foundation
import FrameSources
import Glibc
import Testing

/// Tests of the built `frameshare` against real drivers, in the virtual machine of Tests/Guest, one after the other.
///
/// Everything computes many times slower there, so they wait for conditions, and assert no rates and no times.
@Suite(
    "With real drivers",
    .serialized,
    .timeLimit(.minutes(10)),
    .enabled(if: Guest.isHere, "runs in the guest: Tests/Guest/run-suite")
)
enum RealDrivers {}

/// The virtual machine, in which this process runs as root.
enum Guest {
    static let isHere = ProcessInfo.processInfo.environment["FRAMESHARE_GUEST"] != nil

    /// A user without rights.
    static let nobody = 65534

    /// vivid's devices.
    static func vivid(multiPlanar: Bool) throws -> String {
        let devices = V4L2Device.list().cameras.filter { $0.driver == "vivid" && $0.isMultiPlanar == multiPlanar }
        return try #require(devices.first?.path, "vivid isn't loaded; Tests/Guest/run-suite does it")
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Throws what a program has said if it has ended.
    static func checkRuns(_ run: CommandRun) throws {
        if run.isRunning { return }
        let outcome = run.wait()
        throw Failure(description: "a program ended with \(outcome.code): \(outcome.output)\(outcome.errors)")
    }

    /// Waits until something holds. The limit is there to tell what is waited for in vain.
    static func wait(_ what: String, _ holds: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(150)
        while try !holds() {
            guard ContinuousClock.now < end else { throw Failure(description: "waited in vain until \(what)") }
            usleep(100_000)
        }
    }
}
