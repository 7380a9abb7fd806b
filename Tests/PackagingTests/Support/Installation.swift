import CommandTesting
import Foundation

/// What `make install` makes of the command as it was built, in a folder of its own.
final class Installation: Sendable {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    let folder: ChannelFolder
    let prefix: URL

    init() throws {
        folder = try ChannelFolder()
        prefix = folder.scratchFile()
        try make("install")
    }

    /// Runs `make` for this prefix, without building anything.
    func make(_ target: String) throws {
        let outcome = try run(
            "make",
            "-C",
            Self.package.path,
            target,
            "SWIFT=not-needed",
            "command=\(CommandRun.executable.path)",
            // Tests/CLibrary tests that.
            "c_library=not-built",
            "PREFIX=\(prefix.path)"
        )
        guard outcome.code == 0 else { throw Failed(description: "make \(target): \(outcome.errors)") }
    }

    func path(_ name: String) -> String { prefix.appendingPathComponent(name).path }

    func text(_ name: String) throws -> String {
        try String(contentsOf: prefix.appendingPathComponent(name), encoding: .utf8)
    }

    /// All files there, by their path under the prefix.
    var files: Set<String> {
        let names = FileManager.default.enumerator(atPath: prefix.path)?.compactMap { $0 as? String } ?? []
        return Set(
            names.filter {
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: path($0), isDirectory: &isFolder) && !isFolder.boolValue
            }
        )
    }

    /// Runs a program of this machine to its end.
    func run(_ program: String, _ arguments: String...) throws -> CommandRun.Outcome {
        guard let url = CommandRun.installed(program) else { throw Failed(description: "\(program) is not installed") }
        return try CommandRun(arguments, of: url, in: folder).wait()
    }
}
