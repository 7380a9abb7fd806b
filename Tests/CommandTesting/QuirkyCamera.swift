import Foundation
import Glibc

/// A V4L2 camera that is no device and has the quirks of real drivers: Tests/CameraQuirks, loaded into a process.
public enum QuirkyCamera {
    /// Its device file, which doesn't exist.
    public static let device = "/dev/video77"

    /// The environment of a publisher that has the camera, and of every reader of its frames.
    ///
    /// - Parameter quirks: as the head of Tests/CameraQuirks/camera_quirks.c lists them: "dqbuf=3"
    public static func environment(_ quirks: [String]) throws -> [String: String] {
        [
            "LD_PRELOAD": try library.get().path,
            "CAMERA_QUIRKS": (["device=\(device)"] + quirks).joined(separator: ","),
            // The sanitizer insists on being loaded first.
            "ASAN_OPTIONS": "verify_asan_link_order=0",
        ]
    }

    /// Built once for each test process.
    private static let library = Result { try QuirkLibrary.build("camera_quirks") }
}

/// A V4L2 encoder that is no device and has the quirks of real drivers: loaded into the process that encodes.
public enum QuirkyEncoder {
    /// Its device file, which doesn't exist.
    public static let device = "/dev/video78"

    /// - Parameter quirks: as the head of Tests/CameraQuirks/encoder_quirks.c lists them: "frame-dqbuf=3"
    public static func environment(_ quirks: [String]) throws -> [String: String] {
        [
            "LD_PRELOAD": try library.get().path,
            "ENCODER_QUIRKS": (["device=\(device)"] + quirks).joined(separator: ","),
            "ASAN_OPTIONS": "verify_asan_link_order=0",
        ]
    }

    private static let library = Result { try QuirkLibrary.build("encoder_quirks") }
}

/// A server whose answer is there in the very moment in which a request's body has ended: Tests/NetworkQuirks.
public enum PromptServer {
    public static func environment() throws -> [String: String] {
        ["LD_PRELOAD": try library.get().path, "ASAN_OPTIONS": "verify_asan_link_order=0"]
    }

    private static let library = Result { try QuirkLibrary.build("prompt_answer", in: "NetworkQuirks") }
}

/// Libraries for `LD_PRELOAD`, built beside the test bundle.
enum QuirkLibrary {
    struct CannotBuild: Error, CustomStringConvertible {
        let description: String
    }

    static func build(_ name: String, in folder: String = "CameraQuirks") throws -> URL {
        guard let compiler = ["clang", "cc", "gcc"].lazy.compactMap(CommandRun.installed).first else {
            throw CannotBuild(description: "no C compiler is installed; Swift's toolchain brings clang")
        }
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("\(folder)/\(name).c")
        let library = CommandRun.built("\(name).so")
        // Another test process may have it open, or be building it, too.
        let made = CommandRun.built("\(name)-\(getpid()).so")
        let process = Process()
        process.executableURL = compiler
        process.arguments = [
            "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", source.path, "-o", made.path,
            "-ldl", "-lpthread",
        ]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0, rename(made.path, library.path) == 0 else {
            throw CannotBuild(description: "\(compiler.path) can't build \(source.path)")
        }
        return library
    }
}
