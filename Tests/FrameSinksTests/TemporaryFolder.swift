import Foundation
import SystemPackage

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

    var contents: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }

    /// A file's bytes. (Foundation's `Data` loses memory when a file is empty, which the address sanitizer reports.)
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

    func write(_ bytes: [UInt8], to name: String) throws {
        let file = try FileDescriptor.open(
            FilePath(path(name)),
            .writeOnly,
            options: [.create, .truncate, .closeOnExec],
            permissions: .ownerReadWrite
        )
        try file.closeAfter { _ = try file.writeAll(bytes) }
    }

    /// What `body` writes to a descriptor.
    func written(_ body: (Int32) throws -> Void) throws -> [UInt8] {
        let name = "out-\(UUID().uuidString)"
        let descriptor = open(path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        try body(descriptor)
        return bytes(of: name)
    }
}
