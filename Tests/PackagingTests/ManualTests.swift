import CommandTesting
import Foundation
import Testing

@Suite("The manual page", .timeLimit(.minutes(10)))
struct ManualTests {
    static let page = "share/man/man1/frameshare.1"
    static let hasFormatter = CommandRun.installed("mandoc") != nil
    static let whyNot: Comment = "mandoc is not installed (Debian package mandoc)"

    @Test("the formatter stumbles over nothing", .enabled(if: hasFormatter, whyNot))
    func lint() throws {
        let installation = try Installation()
        let outcome = try installation.run("mandoc", "-T", "lint", "-W", "warning", installation.path(Self.page))
        #expect(outcome.code == 0)
        #expect(outcome.output == "" && outcome.errors == "")
    }

    @Test("each command has a section with all of its options")
    func complete() throws {
        let installation = try Installation()
        let sections = try installation.text(Self.page).components(separatedBy: "\n.Ss frameshare ").dropFirst()
        let commands = try Document(try frameshare("--experimental-dump-help", in: installation.folder).output)[
            "command"
        ]
        var names: [String] = []
        for command in try commands["subcommands"].elements where try command["shouldDisplay"].bool {
            let name = try command["commandName"].text
            // The parser's own.
            guard name != "help" else { continue }
            names.append(name)
            let section = try #require(sections.first { $0.hasPrefix(name + "\n") }, "no section on \(name)")
            for argument in try command["arguments"].elements where try argument["shouldDisplay"].bool {
                guard try argument["kind"].text != "positional" else { continue }
                let option = try argument["preferredName"]["name"].text
                guard !["help", "version"].contains(option) else { continue }
                // As roff has it: without the first hyphen, which its macro Fl writes.
                let source = (option.count == 1 ? "" : "-") + option
                let escaped = source.replacingOccurrences(of: "-", with: "\\-")
                #expect(section.contains("Fl \"\\&\(escaped)\""), "\(name) \(option)")
            }
        }
        #expect(names.contains("publish") && names.contains("watch"))
        #expect(sections.count == names.count)
    }

    @Test("it says what each exit code means")
    func exitCodes() throws {
        let installation = try Installation()
        let source = try installation.text(Self.page)
        let codes = try #require(source.components(separatedBy: ".Sh EXIT STATUS").last)
        for code in ["0", "1", "3", "64", "130"] { #expect(codes.contains(".It \"\\&\(code)\"\n"), "\(code)") }
    }
}
