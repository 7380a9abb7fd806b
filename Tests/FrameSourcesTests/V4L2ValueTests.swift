import Glibc
import PixelFormats
import Testing

@testable import FrameSources

@Suite("V4L2 values")
struct V4L2ValueTests {
    @Test(
        "a control's key is its name as v4l2-ctl writes it",
        arguments: [
            ("Brightness", "brightness"), ("White Balance, Automatic", "white_balance_automatic"),
            ("Y'CbCr Encoding", "y_cbcr_encoding"), ("  Gain (dB) ", "gain_db"),
            ("Zoom, Absolute 2", "zoom_absolute_2"),
            ("?!", ""), ("", ""),
        ]
    )
    func controlKey(name: String, key: String) {
        #expect(V4L2Control.key(of: name) == key)
    }

    @Test("rates become the fractions that drivers use")
    func intervals() throws {
        let thirty = try #require(V4L2Interval(framesPerSecond: 30))
        #expect((thirty.numerator, thirty.denominator) == (1, 30))
        let broadcast = try #require(V4L2Interval(framesPerSecond: 29.97))
        #expect((broadcast.numerator, broadcast.denominator) == (1001, 30_000))
        let slow = try #require(V4L2Interval(framesPerSecond: 0.5))
        #expect(slow.framesPerSecond == 0.5)
        let odd = try #require(V4L2Interval(framesPerSecond: 12.5))
        #expect(odd.framesPerSecond == 12.5)
        for rate in [0, -1, .nan, .infinity, 2_000_000] {
            #expect(V4L2Interval(framesPerSecond: rate) == nil)
        }
        #expect(V4L2Interval(numerator: 0, denominator: 30) == nil)
        #expect(V4L2Interval(numerator: 1, denominator: 0) == nil)
    }

    @Test("intervals compare by time and print as rates")
    func intervalOrder() throws {
        let thirty = try #require(V4L2Interval(numerator: 1, denominator: 30))
        let same = try #require(V4L2Interval(numerator: 333_333, denominator: 9_999_990))
        let broadcast = try #require(V4L2Interval(numerator: 1001, denominator: 30_000))
        #expect(thirty.isSame(as: same))
        #expect(thirty < broadcast)
        #expect(!thirty.isSame(as: broadcast))
        #expect("\(thirty)" == "30 fps")
        #expect("\(broadcast)" == "29.97 fps")
        #expect("\(try #require(V4L2Interval(numerator: 2, denominator: 15)))" == "7.5 fps")
        #expect("\(try #require(V4L2Interval(numerator: 100, denominator: 1005)))" == "10.05 fps")
    }

    @Test("a stepwise range holds its steps and no others")
    func stepwiseSizes() {
        let sizes = V4L2FrameSizes.stepwise(
            least: V4L2Size(width: 48, height: 32),
            most: V4L2Size(width: 1920, height: 1080),
            step: V4L2Size(width: 16, height: 8)
        )
        #expect(sizes.contains(V4L2Size(width: 48, height: 32)))
        #expect(sizes.contains(V4L2Size(width: 640, height: 480)))
        #expect(!sizes.contains(V4L2Size(width: 641, height: 480)))
        #expect(!sizes.contains(V4L2Size(width: 640, height: 484)))
        #expect(!sizes.contains(V4L2Size(width: 1936, height: 480)))
        #expect(!V4L2FrameSizes.discrete([]).contains(V4L2Size(width: 640, height: 480)))
    }

    @Test("a V4L2 code as a format's name keeps its separate planes")
    func formatNames() {
        var configuration = V4L2CameraConfiguration()
        let knowsSeparate = configuration.setFormat(named: "nm12")
        #expect(knowsSeparate)
        #expect(configuration.format == .nv12)
        #expect(configuration.code == FourCC("NM12"))
        let knowsContiguous = configuration.setFormat(named: "NV12")
        #expect(knowsContiguous)
        #expect(configuration.format == .nv12)
        #expect(configuration.code == FourCC("NV12"))
        // A code that is not known here, and one with another name.
        for (name, format) in [("HSV3", nil), ("XR15-BE", nil), ("YUV4", .xyuv8888BigEndian)]
            as [(String, PixelFormat?)]
        {
            let knowsCode = configuration.setFormat(named: name)
            #expect(knowsCode)
            #expect(configuration.format == format)
            #expect(configuration.code == FourCC(name))
        }
        let knowsName = configuration.setFormat(named: "RGB888")
        #expect(knowsName)
        #expect(configuration.format == .rgb888 && configuration.code == nil)
        _ = configuration.setFormat(named: "NV12")
        let knowsNothing = configuration.setFormat(named: "nothing")
        #expect(!knowsNothing)
        #expect(configuration.format == .nv12)
    }

    @Test("V4L2 codes are V4L2's, not DRM's")
    func codes() throws {
        let multiPlanar = V4L2Format(code: try #require(FourCC("NM12")), text: "", isEmulated: false)
        #expect(multiPlanar.format == .nv12)
        #expect(multiPlanar.hasSeparatePlanes)
        let contiguous = V4L2Format(code: try #require(FourCC("NV12")), text: "", isEmulated: false)
        #expect(!contiguous.hasSeparatePlanes)
        // BGR3 is blue first, which DRM calls RGB888.
        #expect(V4L2Format.format(of: try #require(FourCC("BGR3"))) == .rgb888)
        // RG24 is a DRM code only: from V4L2 it can't mean the same.
        #expect(V4L2Format.format(of: try #require(FourCC("RG24"))) == nil)
        // As is BGRH, which is not known here by either meaning.
        #expect(V4L2Format.format(of: try #require(FourCC("BGRH"))) == nil)
        let unknown = try #require(FourCC("HSV3"))
        #expect(V4L2Format.format(of: unknown) == PixelFormat(fourcc: unknown))
    }
}

@Suite("V4L2 sequence numbers")
struct SequenceCounterTests {
    /// The carried numbers, and the losses before each.
    private func carried(_ numbers: [UInt32], patience: Int = 0) -> (sequences: [UInt64], lost: [Int]) {
        var counter = SequenceCounter(patience: patience)
        let results = numbers.map { counter.next($0) }
        return (results.map(\.sequence), results.map(\.lost))
    }

    @Test("gaps are counted, also across the end of 32 bits")
    func gaps() {
        let (sequences, lost) = carried([4_294_967_290, 4_294_967_291, 4_294_967_295, 2, 3])
        #expect(sequences == [4_294_967_290, 4_294_967_291, 4_294_967_295, 4_294_967_298, 4_294_967_299])
        #expect(lost == [0, 0, 3, 2, 0])
    }

    @Test("a first number above 0 is no loss")
    func start() {
        #expect(carried([7]) == ([7], [0]))
    }

    @Test("a count that begins anew goes on, and its later gaps count")
    func reset() {
        #expect(carried([1000, 0, 1, 4]) == ([1000, 1001, 1002, 1005], [0, 0, 0, 2]))
    }

    @Test("a frame that later ones overtook is counted once")
    func overtaken() {
        #expect(carried([10, 12, 11, 13]) == ([10, 12, 13, 14], [0, 1, 0, 0]))
    }

    @Test("where frames may overtake each other, one that comes late is not lost")
    func late() {
        #expect(carried([10, 12, 11, 13, 14], patience: 2) == ([10, 11, 12, 13, 14], [0, 0, 0, 0, 0]))
        #expect(carried([10, 13, 12, 11, 14, 15], patience: 2) == ([10, 11, 12, 13, 14, 15], [0, 0, 0, 0, 0, 0]))
    }

    @Test("where frames may overtake each other, a gap counts when nothing more can fill it")
    func patientGap() {
        #expect(carried([10, 12, 13, 14, 15], patience: 2) == ([10, 11, 12, 14, 15], [0, 0, 0, 1, 0]))
        #expect(carried([10, 15, 16, 17, 11], patience: 2) == ([10, 11, 12, 17, 18], [0, 0, 0, 4, 0]))
    }

    @Test("a gap keeps its cause until it counts")
    func cause() {
        var counter = SequenceCounter(patience: 2)
        let starved = [false, true, false, false, false]
        let frames = zip([0, 2, 3, 4, 6] as [UInt32], starved).map { counter.next($0, starved: $1) }
        #expect(frames.map(\.lost) == [0, 0, 0, 1, 0])
        #expect(frames.map(\.starved) == [false, false, false, true, false])
    }

    @Test("a step too long for any gap is a count that began anew, not a million of lost frames")
    func jump() {
        #expect(carried([9, 10, 1_000_011, 1_000_012]) == ([9, 10, 11, 12], [0, 0, 0, 0]))
        #expect(carried([0, 65_536, 65_537]) == ([0, 65_536, 65_537], [0, 65_535, 0]))
    }

    @Test("a number that repeats is another frame")
    func repeated() {
        #expect(carried([10, 10, 11]) == ([10, 11, 12], [0, 0, 0]))
    }
}

@Suite("V4L2 devices that aren't there")
struct V4L2AbsentDeviceTests {
    @Test("a missing device file says so")
    func missing() {
        #expect(throws: V4L2Error.noSuchDevice(path: "/dev/video-none")) { try V4L2Device(path: "/dev/video-none") }
    }

    @Test("a file that is no video device says so")
    func otherDevice() {
        #expect(throws: V4L2Error.notACamera(path: "/dev/null", reason: "it is no V4L2 device")) {
            try V4L2Device(path: "/dev/null")
        }
    }

    @Test("a camera without a device can't be captured from")
    func capture() {
        #expect(throws: V4L2CaptureError.camera(.noSuchDevice(path: "/dev/video-none"))) {
            try V4L2Capture(channel: "v4l2-absent", device: "/dev/video-none")
        }
    }

    @Test("who holds a busy device is named")
    func holders() throws {
        var template = Array("/tmp/v4l2-held-XXXXXX".utf8CString)
        let file = template.withUnsafeMutableBufferPointer { $0.baseAddress.map { mkstemp($0) } } ?? -1
        try #require(file >= 0 && fcntl(file, F_SETFD, FD_CLOEXEC) == 0)
        defer { close(file) }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        // This process has it open, too, and isn't another program.
        #expect(DeviceFile.holders(of: path) == [])
        let words = ["sleep", "60"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in strdup(word) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid = pid_t()
        // A copy for this child alone: other tests start programs, too.
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, file, 9)
        try #require(posix_spawn(&pid, "/bin/sleep", &actions, nil, &arguments, nil) == 0)
        defer {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        #expect(DeviceFile.holders(of: path) == ["sleep (pid \(pid))"])
        let link = path + "-link"
        try #require(symlink(path, link) == 0)
        defer { unlink(link) }
        #expect(DeviceFile.holders(of: link) == ["sleep (pid \(pid))"])
    }

    @Test("the group that may open a device is named", .enabled(if: geteuid() == 0, "needs root"))
    func owningGroup() throws {
        var template = Array("/tmp/v4l2-group-XXXXXX".utf8CString)
        let file = template.withUnsafeMutableBufferPointer { $0.baseAddress.map { mkstemp($0) } } ?? -1
        try #require(file >= 0)
        defer { close(file) }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        #expect(DeviceFile.owningGroup(of: path) == nil)
        try #require(fchmod(file, 0o660) == 0)
        try #require(fchown(file, 0, try #require(getgrnam("video")).pointee.gr_gid) == 0)
        #expect(DeviceFile.owningGroup(of: path) == "video")
        try #require(fchown(file, 0, 4_000_000) == 0)
        #expect(DeviceFile.owningGroup(of: path) == "4000000")
        // Members of a group that may only read can't use the camera either.
        for mode: mode_t in [0o440, 0o640, 0o620, 0o600] {
            try #require(fchmod(file, mode) == 0)
            #expect(DeviceFile.owningGroup(of: path) == nil)
        }
    }

    @Test("a stop that was called stays called")
    func stopSignal() throws {
        let stop = try StopSignal()
        #expect(!stop.isStopped)
        stop.stop()
        stop.stop()
        #expect(stop.isStopped)
        #expect(stop.isStopped)
    }
}
