import Foundation
import Testing

/// A folder for files that ffmpeg makes, removed at the end.
final class MediaFolder: Sendable {
    let path: String

    struct Failure: Error {
        let arguments: [String]
        let message: String
    }

    init() throws {
        path = NSTemporaryDirectory() + "fs-media-" + String(UUID().uuidString.prefix(8))
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: file(name)))) }

    @discardableResult
    func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    /// Runs ffmpeg in the folder, and returns what it wrote to its standard output.
    ///
    /// By `posix_spawn`: Foundation's `Process` loses memory now and then, which the address sanitizer reports.
    @discardableResult
    func ffmpeg(_ arguments: [String], mayFail: Bool = false) throws -> [UInt8] {
        let words = ["env", "-C", path, "ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1"] + arguments
        let (output, errors) = (file("ffmpeg.output"), file("ffmpeg.errors"))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var pointers = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process: pid_t = 0
        let failure = posix_spawnp(&process, words[0], &actions, nil, &pointers, environ)
        try #require(failure == 0, "\(String(cString: strerror(failure)))")
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        try #require(status != 127 << 8, "no ffmpeg: Scripts/install-packages test installs it")
        guard status == 0 || mayFail else {
            let message = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
            throw Failure(arguments: arguments, message: message)
        }
        return try bytes("ffmpeg.output")
    }

    /// How many pictures ffmpeg decodes of a file; it goes over what is damaged.
    func pictureCount(_ name: String) throws -> Int {
        let arguments = ["-i", name, "-vsync", "passthrough", "-an", "-f", "framecrc", "-"]
        let lines = try ffmpeg(arguments, mayFail: true)
        return String(decoding: lines, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }.count
    }

    /// Makes a file of a test source of ffmpeg's.
    func make(_ name: String, _ source: String, _ arguments: String...) throws {
        try ffmpeg(["-f", "lavfi", "-i", source] + arguments + [name])
    }

    /// Writes the display matrix of the first track of an MP4.
    func turn(_ name: String, _ a: Int32, _ b: Int32, _ c: Int32, _ d: Int32, to other: String) throws {
        var bytes = try bytes(name)
        let header = try #require(bytes.firstRange(of: Array("tkhd".utf8))).upperBound
        for (index, value) in [(0, a), (1, b), (3, c), (4, d)] {
            withUnsafeBytes(of: (value * 0x10000).bigEndian) { number in
                for byte in 0..<4 { bytes[header + 40 + index * 4 + byte] = number[byte] }
            }
        }
        try write(bytes, to: other)
    }

    /// Files joined byte by byte, which formats without a header allow.
    func join(_ names: [String], to name: String) throws { try write(names.flatMap { try bytes($0) }, to: name) }
}
