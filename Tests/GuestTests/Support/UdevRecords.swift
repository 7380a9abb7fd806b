import CommandTesting
import Foundation
import Testing

/// What a udevd would tell of this machine's devices, without one: libudev, and so libcamera, knows no others.
enum UdevRecords {
    /// Call before a device is plugged in: while /sys is laid over, nothing can be.
    static func prepare() throws {
        guard laidOver else { return }
        try run("/bin/umount", ["-l", "/sys/devices/platform"])
    }

    private static var laidOver: Bool {
        (try? String(contentsOfFile: "/proc/mounts", encoding: .utf8))?.contains(" /sys/devices/platform overlay ")
            ?? false
    }

    /// Call after a device was plugged in.
    static func write() throws {
        let files = FileManager.default
        try files.createDirectory(atPath: "/run/udev/data", withIntermediateDirectories: true)
        for device in try files.contentsOfDirectory(atPath: "/sys/dev/char") {
            try Data("I:1\n".utf8).write(to: URL(fileURLWithPath: "/run/udev/data/c\(device)"))
        }
        _ = files.createFile(atPath: "/run/udev/control", contents: nil)
        try giveFirmwarePath()
    }

    /// libcamera names a USB camera by the firmware's path of its controller, which the virtual one has not: it is laid over
    /// its part of /sys, which libudev then must be told to accept.
    private static func giveFirmwarePath() throws {
        let files = FileManager.default
        let path = "/run/firmware-path/firmware_node"
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Data("\\_SB_.TEST\n".utf8).write(to: URL(fileURLWithPath: path + "/path"))
        setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1)
        let options = "lowerdir=/run/firmware-path:/sys/devices/platform"
        try run("/bin/mount", ["-t", "overlay", "-o", options, "firmware-path", "/sys/devices/platform"])
    }

    private static func run(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(program) \(arguments.joined(separator: " "))")
    }
}
