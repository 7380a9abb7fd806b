import Foundation

/// FFmpeg's programs, whose decoders share no code with the libraries that the sinks use.
enum FFmpeg {
    /// Whether the tests that need it can run. On a build server they must.
    static let isThere: Bool =
        ProcessInfo.processInfo.environment["CI"] != nil
        || FileManager.default.isExecutableFile(atPath: "/usr/bin/ffmpeg")

    struct Failure: Error {
        let arguments: [String]
        let message: String
    }

    /// The pictures of some files of one type and size, as raw pixels of a format that FFmpeg names, one after the
    /// other. Starting FFmpeg takes most of the time, hence all at once.
    static func decode(_ files: [[UInt8]], pixelFormat: String, type: String) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        for (index, file) in files.enumerated() {
            try Data(file).write(to: URL(fileURLWithPath: folder.path("\(index).\(type)")))
        }
        return try run(
            "ffmpeg",
            ["-threads", "1", "-i", folder.path("%d.\(type)"), "-f", "rawvideo", "-pix_fmt", pixelFormat, "-"]
        )
    }

    /// What a program writes to its standard output.
    static func run(_ program: String, _ arguments: [String], input: [UInt8]? = nil) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/\(program)")
        process.arguments = ["-v", "error", "-y"].filter { program == "ffmpeg" || $0 != "-y" } + arguments
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        let folder = try TemporaryFolder()
        if let input {
            let path = folder.path("input")
            try Data(input).write(to: URL(fileURLWithPath: path))
            process.standardInput = FileHandle(forReadingAtPath: path)
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        let message = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(arguments: arguments, message: String(decoding: message, as: UTF8.self))
        }
        return Array(bytes)
    }
}

/// A folder that goes with the value.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "fs-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func path(_ name: String) -> String { path + "/" + name }

    /// A file's bytes. (Foundation's `Data` leaks memory when a file is empty, which the address sanitizer reports.)
    func bytes(of name: String) -> [UInt8] {
        let descriptor = open(path(name), O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var result: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while case let count = read(descriptor, &part, part.count), count > 0 {
            result += part[..<count]
        }
        return result
    }

    var contents: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }
}
