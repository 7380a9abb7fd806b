import Foundation
import SystemPackage

/// FFmpeg's programs, whose decoders share no code with the libraries that the sinks use.
enum FFmpeg {
    /// Whether the tests that need it can run. On a build server they must.
    static let isThere: Bool =
        ProcessInfo.processInfo.environment["CI"] != nil
        || FileManager.default.isExecutableFile(atPath: "/usr/bin/ffmpeg")

    struct Failure: Error {
        let command: String
        let status: Int32
        let message: String
    }

    /// The pictures of some files of one type and size, as raw pixels of a format that FFmpeg names, one after the other.
    /// Starting FFmpeg takes most of the time, hence all at once.
    static func decode(_ files: [[UInt8]], pixelFormat: String, type: String) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        for (index, file) in files.enumerated() {
            try folder.write(file, to: "\(index).\(type)")
        }
        return try run(
            "ffmpeg",
            ["-threads", "1", "-i", folder.path("%d.\(type)"), "-f", "rawvideo", "-pix_fmt", pixelFormat, "-"]
        )
    }

    /// What a program writes to its standard output.
    ///
    /// By `posix_spawn`: Foundation's `Process` loses memory now and then, which the address sanitizer reports.
    static func run(_ program: String, _ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        try folder.write(input, to: "input")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, folder.path("input"), O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, folder.path("output"), O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, folder.path("errors"), O_WRONLY | O_CREAT, 0o600)

        let words = [program, "-v", "error"] + (program == "ffmpeg" ? ["-y"] : []) + arguments
        var pointers = words.map { strdup($0) } + [nil]
        defer {
            for pointer in pointers {
                free(pointer)
            }
        }
        var process: pid_t = 0
        let failure = posix_spawnp(&process, program, &actions, nil, &pointers, environ)
        guard failure == 0 else {
            throw Errno(rawValue: failure)
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else {
            throw Failure(
                command: words.joined(separator: " "),
                status: status,
                message: String(decoding: folder.bytes(of: "errors"), as: UTF8.self)
            )
        }
        return folder.bytes(of: "output")
    }
}
