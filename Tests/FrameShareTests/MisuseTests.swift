import Glibc
import Testing

/// What must not compile: the compiler, not a comment, keeps bytes from outliving their frame.
@Suite("Misuse that does not compile", .serialized)
struct MisuseTests {
    /// A program text and what the compiler has to say of it; nil: it must compile.
    struct Snippet: Sendable, CustomTestStringConvertible {
        let name: String
        let body: String
        let complaint: String?
        /// Whether it must compile without a warning where each use of something unsafe is warned of.
        var isStrict = false
        var testDescription: String { name }
    }

    static let snippets = [
        Snippet(
            name: "reading, copying and drawing pixels, with nothing unsafe",
            body: """
                func copies(_ frame: borrowing Frame) throws -> [UInt8] {
                    var sum = 0
                    let rows = try frame["main"].cropped(to: Crop(x: 2, y: 2, width: 8, height: 8)).rows()
                    for y in rows.indices {
                        let row = rows[y]
                        for x in row.indices { sum += Int(row[x]) }
                        let deep = rows.values(of: y, as: UInt16.self)
                        for x in deep.indices { sum += Int(deep[x]) }
                    }
                    return sum > 0 ? [UInt8](copying: rows) : [UInt8](copying: frame["main"])
                }
                func draw(_ publisher: Publisher) throws {
                    let slot = try publisher.nextSlotBlocking()
                    try slot["main"].cropped(to: Crop(x: 2, y: 2, width: 8, height: 8)).withMutableRows { rows in
                        for y in rows.indices {
                            var row = rows[y]
                            for x in row.indices { row[x] = 128 }
                            var deep = rows.values(of: y, as: UInt16.self)
                            for x in deep.indices { deep[x] = 128 }
                        }
                    }
                    slot["main"].withMutableBytes { bytes in
                        for i in 0..<bytes.byteCount { bytes.storeBytes(of: 0, toByteOffset: i, as: UInt8.self) }
                    }
                    try publisher.publish(slot)
                }
                func keep(_ frame: consuming Frame) -> [HeldFrame] { [HeldFrame(frame)] }
                """,
            complaint: nil,
            isStrict: true
        ),
        Snippet(
            name: "reading a frame's bytes in its scope",
            body: """
                func use(_ subscriber: Subscriber) throws -> Int {
                    guard let frame = try subscriber.tryNext() else { return 0 }
                    let bytes = frame["main"].bytes
                    return bytes.byteCount + frame["main"].plane(0).byteCount
                }
                """,
            complaint: nil
        ),
        Snippet(
            name: "returning a span of a local frame",
            body: """
                @_lifetime(immortal)
                func leak(_ subscriber: Subscriber) throws -> RawSpan {
                    guard let frame = try subscriber.tryNext() else { return RawSpan() }
                    return frame["main"].bytes
                }
                """,
            complaint: "lifetime-dependent value escapes its scope"
        ),
        Snippet(
            name: "reading bytes after the frame was released",
            body: """
                func late(_ frame: consuming Frame) -> Int {
                    let bytes = frame["main"].bytes
                    frame.release()
                    return bytes.byteCount
                }
                """,
            complaint: "'frame' used after consume"
        ),
        Snippet(
            name: "reading an image after its frame, a constant, was released",
            body: """
                func late(_ subscriber: Subscriber) throws -> Int {
                    guard let frame = try subscriber.tryNext() else { return 0 }
                    let image = frame["main"]
                    frame.release()
                    return image.bytes.byteCount
                }
                """,
            complaint: "cannot be consumed"
        ),
        Snippet(
            name: "releasing a frame twice",
            body: """
                func twice(_ frame: consuming Frame) {
                    frame.release()
                    frame.release()
                }
                """,
            complaint: "consumed more than once"
        ),
        Snippet(
            name: "copying a frame",
            body: """
                func copy(_ frame: borrowing Frame) -> Frame { frame }
                """,
            complaint: "'frame' is borrowed and cannot be consumed"
        ),
        Snippet(
            name: "keeping an image in a property",
            body: """
                struct Keeper { var image: Image }
                """,
            complaint: "has non-Escapable type 'Image'"
        ),
        Snippet(
            name: "letting metadata outlive its frame",
            body: """
                @_lifetime(immortal)
                func leak(_ frame: consuming Frame) -> MetadataView { frame.metadata }
                """,
            complaint: "lifetime-dependent"
        ),
        Snippet(
            name: "publishing a slot twice",
            body: """
                func twice(_ publisher: Publisher, _ slot: consuming WritableSlot) throws {
                    try publisher.publish(slot)
                    try publisher.publish(slot)
                }
                """,
            complaint: "consumed more than once"
        ),
        Snippet(
            name: "writing to a slot after it was published",
            body: """
                func late(_ publisher: Publisher, _ slot: consuming WritableSlot) throws {
                    try publisher.publish(slot)
                    slot["main"].withUnsafeMutableBytes { $0[0] = 1 }
                }
                """,
            complaint: "used after consume"
        ),
        Snippet(
            name: "writing through a frame's bytes",
            body: """
                func write(_ frame: borrowing Frame) {
                    frame["main"].withBytes { $0.storeBytes(of: 1, as: UInt8.self) }
                }
                """,
            complaint: "has no member 'storeBytes'"
        ),
    ]

    @Test(
        "the compiler says what it must",
        .enabled(if: Compiler.here != nil, "no compiler and built modules found"),
        arguments: snippets
    )
    func compiles(snippet: Snippet) throws {
        let compiler = try #require(Compiler.here)
        let (succeeded, output) = try compiler.check("import FrameShare\n" + snippet.body, isStrict: snippet.isStrict)
        if let complaint = snippet.complaint {
            #expect(!succeeded, "it compiled")
            #expect(output.contains(complaint), "\(output)")
        } else {
            #expect(succeeded, "\(output)")
        }
    }
}

/// The compiler that built the tests, with the modules they were built with.
struct Compiler {
    private let arguments: [String]

    /// Nil where either can't be found.
    static let here: Compiler? = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        guard length > 0 else { return nil }
        let own = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // .../debug/NAME.xctest beside .../debug/Modules and .../debug/*.build/module.modulemap.
        guard let slash = own.lastIndex(of: "/") else { return nil }
        let folder = String(own[..<slash])
        // Of swift-system, which the public interface names, beside .../x86_64-unknown-linux-gnu/debug.
        let system = folder + "/../../checkouts/swift-system/Sources/CSystem/include"
        guard access(folder + "/Modules/FrameShare.swiftmodule", R_OK) == 0, access(system, R_OK) == 0,
            let sources = sourceFolder, let swiftc = onPath("swiftc")
        else { return nil }
        return Compiler(
            arguments: [
                swiftc, "-emit-sil", "-o", "/dev/null", "-swift-version", "6", "-I", folder + "/Modules",
                "-enable-experimental-feature", "Lifetimes", "-Xcc",
                "-fmodule-map-file=\(sources)/CLinuxMedia/include/module.modulemap", "-Xcc",
                "-fmodule-map-file=\(system)/module.modulemap", "-Xcc", "-I", "-Xcc", system,
            ])
    }()

    /// The package's `Sources`, found from this file.
    private static var sourceFolder: String? {
        let parts = #filePath.split(separator: "/").dropLast(3)
        let path = "/" + parts.joined(separator: "/") + "/Sources"
        return access(path + "/CLinuxMedia/include/module.modulemap", R_OK) == 0 ? path : nil
    }

    private static func onPath(_ name: String) -> String? {
        guard let path = getenv("PATH") else { return nil }
        return String(cString: path).split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Whether a program text passes the compiler, and what it said. (Lifetimes are checked after types: `-typecheck`
    /// would not do.)
    func check(_ text: String, isStrict: Bool) throws -> (succeeded: Bool, output: String) {
        var template = Array("/tmp/fs-misuse-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let (source, log) = (folder + "/snippet.swift", folder + "/log")
        defer {
            unlink(source)
            unlink(log)
            rmdir(folder)
        }
        try write(text, to: source)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
        let command =
            (arguments + (isStrict ? ["-strict-memory-safety", "-warnings-as-errors"] : []) + [source]).map {
                strdup($0)
            } + [nil]
        defer { for argument in command { free(argument) } }
        var process: pid_t = 0
        try #require(posix_spawn(&process, arguments[0], &actions, nil, command, environ) == 0)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        return (status == 0, try read(log))
    }

    private func write(_ text: String, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        fputs(text, file)
    }

    private func read(_ path: String) throws -> String {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
