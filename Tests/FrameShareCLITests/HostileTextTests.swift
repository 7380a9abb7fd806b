import CommandTesting
import Foundation
import FrameCommand
import FrameShare
import Glibc
import Testing

@testable import FrameShareCLI

/// Names and messages of other processes, devices and files, as people meet them.
@Suite("Text from outside", .timeLimit(.minutes(10)))
struct HostileTextTests {
    /// Forges a row, sets colours and the title, turns text around, hides some.
    static let hostile =
        "a\u{1B}[31m\u{1B}]0;title\u{7}\r\n  9  9  root\t\u{7F}\u{9B}2J\u{202E}drow\u{2066}\u{2028}\u{200B}\u{FEFF}\u{E0041}é漢"

    /// What a person's terminal is sent has nothing in it but letters, line ends, and this program's own orders.
    private func expectHarmless(_ text: String, _ what: String) {
        var rest = text
        for order in ["[0m", "[1m", "[2m", "[31m", "[32m", "[33m", "[K", "[J", "[?25l", "[?25h"]
        where what == "terminal" {
            rest = rest.replacingOccurrences(of: "\u{1B}" + order, with: "")
        }
        if what == "terminal" { rest = rest.replacingOccurrences(of: "\r\n", with: "\n") }
        let wrong = rest.unicodeScalars.filter { $0 != "\n" && !$0.isDisplayable }
        #expect(wrong.isEmpty, "\(what): \(wrong.map { String($0.value, radix: 16) }) in \(text.debugDescription)")
        #expect(!rest.contains("\n  9  9  root"), "a forged row: \(what)")
    }

    private final class HostileSource: ControllableSource {
        func listControls() throws(ControlError) -> [CameraControl] {
            [
                CameraControl(
                    name: hostile,
                    label: hostile,
                    kind: .menu,
                    standard: hostile,
                    value: hostile,
                    items: [.init(value: hostile, name: hostile)]
                )
            ]
        }
        func setControl(_ setting: ControlSetting) throws(ControlError) -> String {
            if setting.value == "refuse" { throw .refused(hostile) }
            return hostile
        }
    }

    @Test("names, source, controls, values and errors of peers are escaped for people, and whole in JSON")
    func peers() throws {
        let folder = try ChannelFolder()
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder.path)
        options.sourceName = Self.hostile
        let layout = ImageLayout(
            width: 16,
            height: 8,
            format: .r8,
            planes: [PlaneLayout(offset: 0, stride: 16, size: 128)]
        )
        let publisher = try Publisher(channel: "cam", streams: ["main": layout], slots: 4, options: options)
        let source = HostileSource()
        try publisher.offerControls(of: source)
        var looks = Subscriber.Options()
        looks.directory = options.directory
        looks.name = Self.hostile
        let subscriber = try Subscriber(channel: "cam", policy: .latest, options: looks)
        // A socket may have any name, too.
        _ = FileManager.default.createFile(atPath: "\(folder.path)/x\u{1B}[2Jy.sock", contents: nil)

        let commands = [
            ["list", "--all"], ["top", "cam", "--once"], ["top", "cam", "--seconds", "10ms"], ["control", "cam"],
            ["control", "cam", "x=1"], ["control", "cam", "x=refuse"], ["watch", "cam", "--seconds", "10ms"],
            ["watch", Self.hostile], ["snapshot", "cam", "-o", "/no/\(Self.hostile).png", "--timeout", "1ms"],
            ["publish", "--source", "/no/\(Self.hostile).mp4"], ["publish", "--source", "/no/\(Self.hostile)"],
            ["publish", "--channel", "p", "--group", Self.hostile, "--frames", "1"], ["list", "--\(Self.hostile)"],
            ["view", "--token-file", "/no/\(Self.hostile)"], ["doctor"], ["cameras", "/no/\(Self.hostile)"],
        ]
        for command in commands {
            let run = try CommandRun(command, in: folder, environment: ["COLUMNS": "80"]).wait()
            expectHarmless(run.output, "output of \(command)")
            expectHarmless(run.errors, "errors of \(command)")
            #expect(!(run.output + run.errors).isEmpty, "\(command)")
        }
        for command in [["list"], ["top", "cam", "--once"], ["control", "cam"], ["control", "cam", "x=refuse"]] {
            let screen = try TerminalRun(command, in: folder).wait().screen
            expectHarmless(screen, "terminal")
            #expect(screen.contains("\\u{1b}[31m"), "\(screen.debugDescription)")
        }

        for command in ["list", "top cam --once", "control cam", "watch cam --seconds 10ms"] {
            let run = try CommandRun(command.split(separator: " ").map(String.init) + ["--json"], in: folder).wait()
            expectHarmless(run.output, "\(command) --json")
        }
        let list = try Document(try frameshare("list", "--json", in: folder).output)[0]
        #expect(try list["source"].text == Self.hostile)
        // Names are cut to what a message holds.
        let name = try list["subscribers"][0]["name"].text
        #expect(name.utf8.count > 20 && Self.hostile.utf8.starts(with: name.utf8), "\(name.debugDescription)")
        let control = try Document(try frameshare("control", "cam", "--json", in: folder).output)[0]
        #expect(try control["name"].text == Self.hostile && control["items"][0]["name"].text == Self.hostile)
        withExtendedLifetime((publisher, source)) { subscriber.close() }
    }

    @Test("every scalar that is more than a letter is escaped, once")
    func scalars() {
        let banned = [0...0x1F, 0x7F...0x9F, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xE0000...0xE007F]
        for value in banned.joined() {
            guard let scalar = Unicode.Scalar(UInt32(value)) else { continue }
            #expect(!scalar.isDisplayable, "\(String(value, radix: 16))")
            let text = "a\(scalar)b".displayText
            #expect(text.unicodeScalars.allSatisfy { $0.isDisplayable } && text.displayText == text)
        }
        for value in [0xAD, 0x61C, 0x180E, 0x3164, 0xFEFF, 0xFFF9, 0xE000, 0xFFFFE] {
            #expect(Unicode.Scalar(UInt32(value))?.isDisplayable == false, "\(String(value, radix: 16))")
        }
        for text in ["plain ~", "Kamera für Tür", "玄関カメラ", "الباب", "cafe\u{301}", "📷 ½ ±"] {
            #expect(text.displayText == text)
        }
        #expect("a\nb\t\u{1B}[0m\u{202E}".displayText == #"a\nb\t\u{1b}[0m\u{202e}"#)
        // Bytes that are no UTF-8 have become a letter that says so.
        #expect(String(decoding: [0x61, 0x9B, 0xFF], as: UTF8.self).displayText == "a\u{FFFD}\u{FFFD}")
    }

    @Test("columns line up for letters of any width, and are cut between letters")
    func widths() {
        #expect(TextWidth.of("玄関") == 4 && TextWidth.of("cafe\u{301}") == 4 && TextWidth.of("plain") == 5)
        #expect(StyledText("玄関カメラ").prefix(columns: 5) == StyledText("玄関"))
        #expect(StyledText("cafe\u{301}s").prefix(columns: 4) == StyledText("cafe\u{301}"))
        var table = TextTable([.init("NAME"), .init("N", .right)])
        table.add(["玄関", "1"])
        table.add(["door\u{1B}", "2"])
        #expect(table.lines().map(\.width) == [13, 13, 13])
    }
}
