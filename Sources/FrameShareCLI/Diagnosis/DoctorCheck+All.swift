extension DoctorCheck {
    /// Everything that `doctor` looks at, in the order in which it is told.
    static func all() -> [DoctorCheck] {
        [kernel(), channelFolder()] + memory() + [descriptors(), groups()] + cameras()
    }
}
