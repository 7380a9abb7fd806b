import FrameCommand
import Glibc

/// What keeps a way from being faster, worked out from what it does and what this machine can do.
struct BenchLimit {
    /// Bytes a second.
    let copySpeed: Double
    let cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    func text(_ cell: BenchCell, framesPerSecond: Double, p50: Double) -> String {
        let copies = cell.way.copies(readers: cell.readers)
        let copying = copySpeed > 0 ? Double(copies * cell.size) / copySpeed * 1e9 : 0
        if cell.touch == .all { return "writing and reading \(Quantities.bytes(cell.size)) a frame" }
        if copies > 0 && copying > 10_000 {
            return "copying \(Quantities.bytes(cell.size)) \(Quantities.counted(copies, "time")): "
                + "\(Quantities.time(nanoseconds: Int64(copying))) at \(Quantities.fixed(copySpeed / 1e9)) GB/s"
        }
        if cell.way.mapsEachFrame { return "mapping and unmapping each frame, its page faults" }
        if cell.rate > 0 {
            return cell.readers < cores
                ? "waking \(Quantities.counted(cell.readers, "reader"))"
                : "waking \(cell.readers) readers on \(Quantities.counted(cores, "core"))"
        }
        return cell.readers < cores
            ? "going to sleep and waking, either side"
            : "\(cell.readers + 1) processes take turns on \(Quantities.counted(cores, "core"))"
    }
}
