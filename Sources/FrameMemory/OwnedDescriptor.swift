internal import Glibc

/// A file descriptor that is closed with its owner.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The descriptor's number, which stays valid as long as this value.
    public let number: Int32

    /// Takes over a descriptor. Nobody else may close it. A negative number is none, and nothing is closed.
    public init(owning number: Int32) { self.number = number }

    deinit { if number >= 0 { close(number) } }

    /// Gives the descriptor up: the caller closes it.
    public consuming func take() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// Another descriptor of the same open file, close-on-exec.
    /// - Throws: `outOfDescriptors` when this process has no more.
    public func duplicate() throws(MemoryError) -> OwnedDescriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .from(Int(-errno), call: "fcntl(F_DUPFD_CLOEXEC)") }
        return OwnedDescriptor(owning: copy)
    }
}
