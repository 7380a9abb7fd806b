import CommandTesting
import Foundation
import FrameShare
import FrameSources
import Glibc
import Testing

@testable import FrameShareCLI

extension RealDrivers {
    @Suite("C and Python")
    struct Languages {
        /// The programs that read: read_frames.c, built, and the Python of read_frames.py.
        static let reader = ProcessInfo.processInfo.environment["FRAMESHARE_C_READER"]
        static let python = ProcessInfo.processInfo.environment["FRAMESHARE_PYTHON"]

        @Test(
            "a C and a Python program read the very bytes that a Swift one reads, in every format that vivid has",
            .enabled(
                if: reader != nil,
                "there is no C library and no Python package: Scripts/test-languages makes them"
            )
        )
        func sameBytes() throws {
            let folder = try ChannelFolder()
            let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("read_frames.py").path
            let inC = try CommandRun([Scene.channel], of: URL(fileURLWithPath: try #require(Self.reader)), in: folder)
            let python = URL(fileURLWithPath: try #require(Self.python))
            let inPython = try CommandRun([script, Scene.channel], of: python, in: folder)
            var formats = 0
            for multiPlanar in [false, true] {
                let path = try Guest.vivid(multiPlanar: multiPlanar)
                // Those whose planes have buffers of their own are the multi-planar device's part.
                let offered = try V4L2Device(path: path).formats()
                    .filter { $0.format?.info != nil && (!multiPlanar || $0.hasSeparatePlanes) }
                let camera = try Camera(path, offered.map(\.code), folder)
                var seen: Set<PixelFormat> = []
                // Some have two codes.
                for format in offered where format.format.map({ seen.insert($0).inserted }) ?? false {
                    camera.capture.reconfigure(Camera.configuration(format.code))
                    try compare(format, camera.subscriber, inC, inPython)
                    formats += 1
                }
                camera.stop()
            }
            #expect(formats >= 20)
            for run in [inC, inPython] {
                #expect(run.isRunning, "\(run.errorsSoFar)")
                run.send(SIGKILL)
                _ = run.wait()
            }
        }

        /// Waits until all three have read two frames of a format, and holds them against each other.
        private func compare(
            _ format: V4L2Format,
            _ subscriber: Subscriber,
            _ inC: CommandRun,
            _ inPython: CommandRun
        ) throws {
            var sums: [UInt64: UInt64] = [:]
            var (c, python): ([UInt64: [Substring]], [UInt64: [Substring]]) = ([:], [:])
            let fourcc = try #require(format.format).fourcc.rawValue
            try Guest.wait("all have read two frames of \(format)") {
                try Guest.checkRuns(inC)
                try Guest.checkRuns(inPython)
                while let frame = try subscriber.tryNext() {
                    guard frame["main"].layout.format == format.format else { continue }
                    sums[frame.number] = frame["main"].checksum
                }
                (c, python) = (Self.lines(inC, fourcc), Self.lines(inPython, fourcc))
                return sums.keys.count { c[$0] != nil && python[$0] != nil } >= 2
            }
            for (number, sum) in sums {
                guard let c = c[number], let python = python[number] else { continue }
                #expect(UInt64(c[3], radix: 16) == sum, "C, \(format), frame \(number)")
                #expect(c[2] == python[2], "Python, \(format), frame \(number)")
            }
        }

        /// What a program has said of frames of a format, by their numbers; the last line may still be being written.
        private static func lines(_ run: CommandRun, _ fourcc: UInt32) -> [UInt64: [Substring]] {
            var lines: [UInt64: [Substring]] = [:]
            for line in run.outputSoFar.split(separator: "\n", omittingEmptySubsequences: false).dropLast().suffix(100)
            {
                let words = line.split(separator: " ")
                guard words.count >= 3, UInt32(words[0], radix: 16) == fourcc, let number = UInt64(words[1])
                else { continue }
                lines[number] = words
            }
            return lines
        }
    }

    /// A device that is captured in this process, and a subscriber of it.
    private final class Camera {
        let capture: V4L2Capture
        let subscriber: Subscriber
        private let stopSignal: StopSignal
        private let ended = DispatchSemaphore(value: 0)

        static func configuration(_ code: FourCC) -> V4L2CameraConfiguration {
            var configuration = V4L2CameraConfiguration(
                size: V4L2Size(width: 320, height: 180),
                framesPerSecond: 10,
                slots: 12
            )
            configuration.code = code
            return configuration
        }

        init(_ path: String, _ codes: [FourCC], _ folder: ChannelFolder) throws {
            var options = V4L2Capture.Options()
            options.publisher.directory = ChannelDirectory(path: folder.path)
            stopSignal = try StopSignal()
            capture = try V4L2Capture(
                channel: Scene.channel,
                device: path,
                configuration: Self.configuration(try #require(codes.first)),
                options: options
            )
            var subscriberOptions = Subscriber.Options()
            subscriberOptions.directory = options.publisher.directory
            subscriber = try Subscriber(channel: Scene.channel, policy: .everyFrame, options: subscriberOptions)
            let (capture, stopSignal, ended) = (capture, stopSignal, ended)
            Thread {
                try? capture.run(until: stopSignal)
                ended.signal()
            }.start()
        }

        func stop() {
            stopSignal.stop()
            ended.wait()
            subscriber.close()
            capture.publisher.close()
        }
    }
}
