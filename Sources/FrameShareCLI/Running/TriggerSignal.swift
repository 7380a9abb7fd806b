import FrameCommand
import Glibc

/// SIGUSR1, for a loop that looks now and then.
final class TriggerSignal {
    private let signals: sigset_t

    /// Blocks the signal in this thread and in all that it makes.
    init() throws(CommandFailure) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGUSR1)
        guard pthread_sigmask(SIG_BLOCK, &signals, nil) == 0 else {
            throw CommandFailure("SIGUSR1 can't be waited for")
        }
        self.signals = signals
    }

    /// Whether it has come since the last look. Several that come at once count as one, as signals do.
    func take() -> Bool {
        var (signals, none) = (signals, timespec())
        return sigtimedwait(&signals, nil, &none) == SIGUSR1
    }
}
