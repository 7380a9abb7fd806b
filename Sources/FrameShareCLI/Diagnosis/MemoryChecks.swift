import FrameMemory
extension DoctorCheck {
    static func memory() -> [DoctorCheck] { [] }
}
