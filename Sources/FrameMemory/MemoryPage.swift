internal import Glibc

/// The pages that this machine's memory comes in. Their size is the kernel's choice: 4 KiB on x86-64; on arm64 4, 16 or
/// 64 KiB. A Raspberry Pi 5's own kernel has 16 KiB. Nothing else in the package assumes a size.
package enum MemoryPage {
    /// In bytes.
    package static let size = Int(getpagesize())

    /// What memory of so many bytes takes: whole pages. Nil: more than can be counted.
    package static func roundedUp(_ bytes: Int) -> Int? {
        let (sum, overflow) = bytes.addingReportingOverflow(size - 1)
        return overflow ? nil : sum / size * size
    }
}
