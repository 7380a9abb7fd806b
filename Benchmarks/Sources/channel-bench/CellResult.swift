/// What one run gave.
struct CellResult {
    var cell: Cell
    var round: Int
    var frames = 0
    /// From the stamp before publishing to each reader's running, in ns, all readers together.
    var latencies: [Int64] = []
    /// How long each publishing call took, in ns.
    var publishing: [Int64] = []
    /// The publisher's CPU time per frame, all threads, in ns.
    var publisherCPU = 0.0
    /// A reader's CPU time per frame, in ns.
    var readerCPU = 0.0
    /// The time of the whole run, in ns.
    var elapsed: Int64 = 0
    /// Frames that readers missed, and that they read wrong.
    var lost = 0
    var wrong = 0
}
