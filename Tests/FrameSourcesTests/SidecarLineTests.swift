import FrameJSON
import FrameShare
import Glibc
import Testing

@testable import FrameSources

/// Side-cars are files that anyone may have changed: what is not one is refused, and nothing traps.
@Suite("Side-cars", .timeLimit(.minutes(10)))
struct SidecarLineTests {
    @Test("every type of metadata comes back as it was")
    func types() throws {
        let text = """
            {"frame":0,"sequence":7,"timestamp":5,"clock":"boottime","pts":3,"dts":3,"keyframe":true,"bytes":9,"metadata":{\
            "a":true,"b":5,"c":1.5,"d":"x\\"\\u0007","e":{"int64":5},"f":{"float":2.0},"g":{"bytes":"00ff"},\
            "h":{"rectangle":[-1,2,3,4]},"i":{"size":[5,6]},"j":{"bools":[true,false]},"k":{"int32s":[1,-2]},\
            "l":{"int64s":[]},"m":{"floats":[1.5,2.0]},"n":{"doubles":[1e+20]},"o":{"strings":["p","q"]},\
            "r":{"rectangles":[[0,0,1,1]]},"s":{"sizes":[[1,2]]}}}
            """
        let line = try #require(SidecarLine(text.utf8))
        #expect(line.sequence == 7 && line.pts == 3 && line.clock == .boottime)
        let wanted: [(String, MetadataValue)] = [
            ("a", .bool(true)), ("b", .int32(5)), ("c", .double(1.5)), ("d", .string("x\"\u{7}")), ("e", .int64(5)),
            ("f", .float(2)), ("g", .bytes([0, 255])), ("h", .rectangle(.init(x: -1, y: 2, width: 3, height: 4))),
            ("i", .size(.init(width: 5, height: 6))), ("j", .bools([true, false])), ("k", .int32s([1, -2])),
            ("l", .int64s([])), ("m", .floats([1.5, 2])), ("n", .doubles([1e20])), ("o", .strings(["p", "q"])),
            ("r", .rectangles([.init(x: 0, y: 0, width: 1, height: 1)])), ("s", .sizes([.init(width: 1, height: 2)])),
        ]
        for (key, value) in wanted { #expect(line.metadata[key] == value, "\(key)") }
        #expect(line.metadata.count == wanted.count)
    }

    @Test("what has its name and is no file, or more than memory is for, is refused in words")
    func files() throws {
        var template = Array("/tmp/fs-sidecar-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { rmdir(folder) }
        #expect(try SidecarLine.read(folder + "/nothing").isEmpty)
        #expect(throws: VideoFileError.open(path: folder, reason: "it is no file")) { try SidecarLine.read(folder) }
        let pipe = folder + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(throws: VideoFileError.open(path: pipe, reason: "it is no file")) { try SidecarLine.read(pipe) }
        unlink(pipe)
        let huge = folder + "/huge"
        close(open(huge, O_CREAT | O_WRONLY, 0o600))
        defer { unlink(huge) }
        #expect(truncate(huge, 1 << 40) == 0)
        #expect(throws: VideoFileError.open(path: huge, reason: "a side-car has at most 1024 MiB")) {
            try SidecarLine.read(huge)
        }
    }

    @Test(
        "what is no line of a side-car is none",
        arguments: ["", "{", "{}", "[]", "nul", "{\"sequence\":1}", "{\"a\":1}}"]
    )
    func malformed(text: String) {
        #expect(SidecarLine(text.utf8) == nil)
        #expect(JSONText(String(repeating: "[", count: 100_000).utf8) == nil, "and depth has a limit")
        #expect(SidecarLine("{\"sequence\":-1,\"pts\":0,\"metadata\":{}}".utf8) == nil)
    }
}
