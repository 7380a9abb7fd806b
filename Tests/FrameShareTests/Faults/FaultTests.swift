import Testing

/// What peers can do to a channel, by fault or by intent, each with real processes. One at a time: a good subscriber's
/// queue is to outlast whatever else the machine does, not other tests' loads.
@Suite("Faults", .serialized, .timeLimit(.minutes(10)))
enum FaultTests {}
