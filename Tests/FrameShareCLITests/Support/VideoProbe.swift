import CommandTesting
import Foundation
import Testing

/// What ffprobe finds in a file.
struct VideoProbe {
    /// Each packet's time in s, in the file's order, and whether it is a keyframe.
    let packets: [(pts: Double, isKeyframe: Bool)]
    /// Pictures that could be decoded.
    let pictures: Int
    let complaints: String

    init(_ path: String, in folder: ChannelFolder) throws {
        let ffprobe = try #require(CommandRun.installed("ffprobe"), "Scripts/install-packages test installs it")
        let run = try CommandRun(
            [
                "-v", "error", "-count_frames", "-select_streams", "v:0", "-of", "json", "-show_entries",
                "packet=pts_time,flags:stream=nb_read_frames", path,
            ],
            of: ffprobe,
            in: folder
        ).wait()
        let told = try Document(run.output)
        packets = try told["packets"].elements.map {
            (try #require(Double(try $0["pts_time"].text)), try $0["flags"].text.hasPrefix("K"))
        }
        pictures = Int((try? told["streams"][0]["nb_read_frames"].text) ?? "0") ?? 0
        complaints = run.errors
    }
}

/// A line of a recording's side-car.
struct SidecarLine {
    let sequence: Int
    let timestamp: Int
    let pts: Int
    let isKeyframe: Bool
    let metadata: Document

    static func read(_ path: String) throws -> [SidecarLine] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        // A killed recorder may have left the last line unfinished.
        return try Document.lines(String(text[..<(text.lastIndex(of: "\n") ?? text.startIndex)])).map {
            SidecarLine(
                sequence: try $0["sequence"].int,
                timestamp: try $0["timestamp"].int,
                pts: try $0["pts"].int,
                isKeyframe: try $0["keyframe"].bool,
                metadata: try $0["metadata"]
            )
        }
    }
}
