import CommandTesting
import FrameShare
import Testing

@testable import FrameShareCLI

@Suite("Checksums", .timeLimit(.minutes(10)))
struct ChecksumTests {
    /// Publishes small frames of bytes in this process until the command has ended.
    private func watch(checksum: @escaping @Sendable (UInt64) -> UInt64?) async throws -> CommandRun.Outcome {
        let folder = try ChannelFolder()
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder.path)
        let layout = try ImageLayout.computed(width: 64, height: 48, format: .r8)
        let publisher = try Publisher(channel: "bytes", streams: ["main": layout], slots: 4, options: options)
        let run = try CommandRun(["watch", "bytes", "--frames", "5", "--verify", "--json"], in: folder)
        var byte: UInt8 = 0
        while run.isRunning {
            try await Task.sleep(for: .milliseconds(5))
            guard let slot = try publisher.tryNextSlot() else { continue }
            byte &+= 1
            var sum = PixelChecksum()
            slot["main"].withUnsafeMutableBytes { bytes in
                bytes.initializeMemory(as: UInt8.self, repeating: byte)
                sum.add(UnsafeRawBufferPointer(rebasing: bytes.prefix(64 * 48)))
            }
            var metadata: Metadata = [:]
            if let value = checksum(sum.value) {
                metadata[PixelChecksum.key(stream: "main")] = .int64(Int64(bitPattern: value))
            }
            try publisher.publish(slot, metadata: metadata)
        }
        publisher.close()
        return run.wait()
    }

    @Test("a checksum in the metadata is made again from the pixels")
    func right() async throws {
        let run = try await watch { $0 }
        #expect(run.code == 0, "\(run.errors)")
        #expect(try Document.lines(run.output).last?["verified"]["checked"].int == 5)
    }

    @Test("pixels that are not what the checksum says make watch fail")
    func wrong() async throws {
        let run = try await watch { $0 ^ 1 }
        #expect(run.code == 1)
        #expect(run.errors.contains("5 of 5 images are not what was published"))
        #expect(try Document.lines(run.output).last?["verified"]["wrong"].int == 5)
    }

    @Test("frames with nothing to verify by are no success")
    func nothing() async throws {
        let run = try await watch { _ in nil }
        #expect(run.code == 1)
        #expect(run.errors.contains("nothing could be verified"))
    }
}
