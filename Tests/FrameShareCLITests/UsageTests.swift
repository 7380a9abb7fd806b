import CommandTesting
import Testing

@Suite("Wrong usage", .timeLimit(.minutes(10)))
struct UsageTests {
    struct BadInput: CustomTestStringConvertible, Sendable {
        var arguments: [String]
        /// What the error must speak of.
        var mentions: String

        init(_ arguments: String, mentions: String) {
            self.arguments = arguments.split(separator: " ").map { $0 == "EMPTY" ? "" : String($0) }
            self.mentions = mentions
        }

        var testDescription: String { arguments.joined(separator: " ") }
    }

    static let badInputs = [
        BadInput("nonsense", mentions: "nonsense"),
        BadInput("publish --size 640", mentions: "WIDTHxHEIGHT"),
        BadInput("publish --size 0x480", mentions: "WIDTHxHEIGHT"),
        BadInput("publish --size 640x-480", mentions: "WIDTHxHEIGHT"),
        BadInput("publish --size 70000x480", mentions: "WIDTHxHEIGHT"),
        BadInput("publish --format NOSUCH", mentions: "format's name"),
        BadInput("publish --rate fast", mentions: "frames a second"),
        BadInput("publish --rate=-1", mentions: "frames a second"),
        BadInput("publish --rate 30/0", mentions: "frames a second"),
        BadInput("publish --slots 1", mentions: "--slots"),
        BadInput("publish --slots many", mentions: "--slots"),
        BadInput("publish --slots 100000", mentions: "--slots"),
        BadInput("publish --stream lores", mentions: "NAME=WIDTHxHEIGHT"),
        BadInput("publish --stream =320x240", mentions: "NAME=WIDTHxHEIGHT"),
        BadInput("publish --stream lores=320", mentions: "NAME=WIDTHxHEIGHT"),
        BadInput("publish --stream lores=320x240:NOSUCH", mentions: "format's name"),
        BadInput("publish --main 640x480", mentions: "--size"),
        BadInput("publish --source /dev/video0 --main 640x480", mentions: "--size"),
        BadInput("publish --rate 0x10", mentions: "frames a second"),
        BadInput("publish --rate nan", mentions: "frames a second"),
        BadInput("publish --seconds +5", mentions: "length of time"),
        BadInput("publish --memory ram", mentions: "memfd"),
        BadInput("publish --memory driver", mentions: "camera"),
        BadInput("publish --source radio", mentions: "pattern"),
        BadInput("publish --source pattern --control brightness=1", mentions: "camera"),
        BadInput("publish --source pattern --wait-for-camera", mentions: "camera"),
        BadInput("publish --source /dev/video0 --stream lores=320x240", mentions: "pattern"),
        BadInput("publish --source /dev/v4l/by-id/none-index0 --wait-for-camera", mentions: "--channel"),
        BadInput("publish --mode 999", mentions: "octal"),
        BadInput("publish --mode rw", mentions: "octal"),
        BadInput("publish --allow-uid no-such-user-here", mentions: "user"),
        BadInput("publish --control brightness", mentions: "NAME=VALUE"),
        BadInput("publish --control =5", mentions: "NAME=VALUE"),
        BadInput("publish --seconds soon", mentions: "length of time"),
        BadInput("publish --frames 0", mentions: "whole number"),
        BadInput("publish --stall-limit never-ever", mentions: "length of time"),
        BadInput("publish --copies 0", mentions: "1 to 1022"),
        BadInput("publish --copies many", mentions: "512M"),
        BadInput("publish --copy-floor 3", mentions: "--copies"),
        BadInput("publish --channel a/b", mentions: "a/b"),
        BadInput("publish --channel EMPTY", mentions: "channel's name"),
        BadInput("publish --channel .hidden", mentions: ".hidden"),
        BadInput("publish surplus", mentions: "surplus"),
        BadInput("watch x --policy newest", mentions: "queue:N"),
        BadInput("watch x --policy queue:0", mentions: "queue:N"),
        BadInput("watch x --policy queue:99999", mentions: "queue:N"),
        BadInput("watch x --budget 0", mentions: "whole number"),
        BadInput("watch x --slow=-1s", mentions: "length of time"),
        BadInput("watch x --slow 5parsecs", mentions: "length of time"),
        BadInput("watch x --frames none", mentions: "whole number"),
        BadInput("watch x --seconds 1e99", mentions: "length of time"),
        BadInput("watch a/b", mentions: "a/b"),
        BadInput("top x --every 1ns", mentions: "--every"),
        BadInput("top x --every", mentions: "--every"),
        BadInput("top ../x", mentions: "../x"),
        BadInput("snapshot x", mentions: "-o"),
        BadInput("cat x --format avi", mentions: "y4m"),
        BadInput("cat x --frames 0", mentions: "whole number"),
        BadInput("cat x --policy all", mentions: "queue:N"),
        BadInput("doctor --verbose", mentions: "--verbose"),
        BadInput("cameras --all", mentions: "--all"),
        BadInput("demo --seconds 1ms", mentions: "--seconds"),
        BadInput("demo --source radio", mentions: "pattern"),
        BadInput("completions tcsh", mentions: "bash"),
    ]

    @Test("a wrong value is refused with 64, on standard error, and says what is right", arguments: badInputs)
    func refused(input: BadInput) throws {
        let folder = try ChannelFolder()
        let run = try CommandRun(input.arguments, in: folder).wait()
        #expect(run.code == 64, "\(run.errors)")
        #expect(run.output == "")
        #expect(run.errors.hasPrefix("frameshare: "))
        #expect(run.errors.contains(input.mentions), "\(run.errors)")
        #expect(folder.sockets.isEmpty)
    }

    @Test("a channel that is not there is told with exit code 3", arguments: ["watch", "top", "cat"])
    func noSuchChannel(command: String) throws {
        let run = try frameshare(command, "nowhere", in: ChannelFolder())
        #expect(run.code == 3)
        #expect(run.errors.hasPrefix("frameshare: there is no channel 'nowhere'"))
        #expect(run.output == "")
    }

    @Test("without a channel's name, and with no channel, exit code 3 and what to start", arguments: ["watch", "top"])
    func noChannelAtAll(command: String) throws {
        let run = try frameshare(command, in: ChannelFolder())
        #expect(run.code == 3)
        #expect(run.errors.contains("frameshare publish"))
    }

    @Test("list of an empty folder is no failure")
    func emptyList() throws {
        let folder = try ChannelFolder()
        let plain = try frameshare("list", in: folder)
        #expect(plain.code == 0)
        #expect(plain.output.contains("no channels"))
        let json = try frameshare("list", "--json", in: folder)
        #expect(try Document(json.output).elements.isEmpty)
    }

    @Test("without any place for channels the error says how to name one")
    func noDirectory() throws {
        let folder = try ChannelFolder()
        let run = try frameshare(
            "publish",
            "--frames",
            "1",
            in: folder,
            environment: ["FRAMESHARE_DIR": "/proc/no/such/place"]
        )
        #expect(run.code == 1)
        #expect(run.errors.contains("FRAMESHARE_DIR"))
    }

    @Test("a group that does not exist is named")
    func unknownGroup() throws {
        let run = try frameshare("publish", "--group", "no-such-group-here", in: ChannelFolder())
        #expect(run.code != 0)
        #expect(run.errors.contains("no-such-group-here"))
    }

    @Test("a device that is not there is named, with how to see which there are")
    func noSuchDevice() throws {
        let run = try frameshare("publish", "--source", "/dev/video999", in: ChannelFolder())
        #expect(run.code == 1)
        #expect(run.errors.contains("/dev/video999"))
    }
}
