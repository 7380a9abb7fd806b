internal import Glibc
internal import Synchronization

/// Remembers that standard output could not be written, so that the command fails in the end, whatever else it did.
package enum OutputFailure {
    private static let first = Atomic<Int32>(0)

    /// A reader that has had enough is no failure.
    package static func note(_ code: Int32, _ descriptor: Int32) {
        guard descriptor == STDOUT_FILENO, code != EPIPE else { return }
        _ = first.compareExchange(expected: 0, desired: code, ordering: .relaxed)
    }

    package static var isKnown: Bool { first.load(ordering: .relaxed) != 0 }

    /// - Throws: the first failure
    package static func check() throws(CommandFailure) {
        let code = first.load(ordering: .relaxed)
        guard code != 0 else { return }
        throw CommandFailure("standard output can't be written: \(String(cString: strerror(code)))")
    }
}
