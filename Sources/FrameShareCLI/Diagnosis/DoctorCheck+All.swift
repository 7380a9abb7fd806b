import FrameMemory

extension DoctorCheck {
    /// Everything that `doctor` looks at, in the order in which it is told.
    static func all() -> [DoctorCheck] {
        let machine = MachineMemory()
        return [kernel(), channelFolder()] + memory(machine) + [descriptors(machine.descriptorLimit), groups()]
            + cameras()
    }
}
