import CommandTesting
import Foundation
import Glibc

/// A run of the built command with a pseudo-terminal as its screen.
final class TerminalRun {
    private let process = Process()
    private let master: Int32
    private var collected = Data()

    struct Outcome {
        var screen: String
        var code: Int32
    }

    init(_ arguments: [String], in folder: ChannelFolder, environment extra: [String: String] = [:]) throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // TIOCSPTLCK and TIOCGPTN of <asm/ioctls.h>: what unlockpt(3) and ptsname(3) are made of.
        var unlocked: Int32 = 0
        var number: Int32 = 0
        guard master >= 0, ioctl(master, 0x4004_5431, &unlocked) == 0, ioctl(master, 0x8004_5430, &number) == 0 else {
            throw POSIXError(.ENOTTY)
        }
        let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard slave >= 0 else { throw POSIXError(.ENOTTY) }
        let screen = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
        process.executableURL = CommandRun.executable
        process.arguments = arguments
        process.environment = ["FRAMESHARE_DIR": folder.path, "TERM": "xterm"].merging(extra) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = screen
        process.standardError = screen
        try process.run()
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Reads the screen until it shows `text`.
    func waitFor(_ text: String) {
        while !String(decoding: collected, as: UTF8.self).contains(text), readSome() {}
    }

    func wait() -> Outcome {
        while readSome() {}
        process.waitUntilExit()
        let isSignal = process.terminationReason == .uncaughtSignal
        return Outcome(
            screen: String(decoding: collected, as: UTF8.self),
            code: isSignal ? -process.terminationStatus : process.terminationStatus
        )
    }

    /// - Returns: false once nobody has the terminal open any more
    private func readSome() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var entry = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        while true {
            let ready = poll(&entry, 1, 100)
            if ready > 0 {
                let count = read(master, &buffer, buffer.count)
                // EIO is how Linux says that the other side is closed.
                guard count > 0 else { return false }
                collected.append(contentsOf: buffer[..<count])
                return true
            }
            if !process.isRunning { return false }
        }
    }

    deinit {
        if process.isRunning { process.terminate() }
        close(master)
    }
}
