import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("Relay", .timeLimit(.minutes(10)))
struct RelayTests {
    private func publisher(_ folder: ChannelFolder, _ more: String...) throws -> CommandRun {
        try folder.publisher(["--size", "160x120"] + more)
    }

    @Test("copies can be verified as the originals can, and end in order")
    func verifies() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder, "--rate", "60", "--stream", "lores=80x64:GREY")
        let relay = try folder.started(["relay", "cam", "--as", "far", "--slots", "20"])
        let watch = try frameshare("watch", "far", "--frames", "20", "--verify", "--json", in: folder)
        #expect(watch.code == 0, "\(watch.errors)")
        let seen = try #require(try Document.lines(watch.output).last)
        #expect(try seen["verified"]["checked"].int == 40)
        publisher.send(SIGTERM)
        #expect(publisher.wait().code == 0)
        let outcome = relay.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let told = try Document.lines(outcome.output)
        #expect(try told.map { try $0["event"].text } == ["plan", "start", "end"])
        #expect(try told[0]["slots"].int == 20)
        #expect(try told[0]["bytes"].int == 20 * told[0]["bytes_per_frame"].int)
        #expect(try told[2]["copied"].int >= 20)
        #expect(folder.sockets.filter { $0.hasSuffix(".sock") }.isEmpty)
    }

    @Test("a reader three times too slow costs the camera nothing, and its lag is told by the relay")
    func lag() throws {
        let folder = try ChannelFolder()
        let camera = try publisher(folder, "--rate", "60", "--slots", "6")
        let relay = try folder.started(["relay", "cam", "--slots", "40"])
        let slow = try frameshare(
            "watch",
            "cam-copy",
            "--policy",
            "every-frame",
            "--budget",
            "30",
            "--slow",
            "50ms",
            "--seconds",
            "3",
            "--json",
            in: folder
        )
        #expect(slow.code == 0, "\(slow.errors)")
        relay.send(SIGTERM)
        let relayed = try #require(try Document.lines(relay.wait().output).last)
        // Its loss is its own, and nobody else's of that channel.
        #expect(try relayed["no_room"].int == 0)
        #expect(try #require(try Document.lines(slow.output).last)["lost"]["policy"].int > 0)
        #expect(try relayed["lost"]["no_free_slot"].int == 0)
        camera.send(SIGTERM)
        let end = try #require(try Document.lines(camera.wait().output).last)
        #expect(try end["lost"]["no_free_slot"].int == 0)
    }

    @Test("what can't be copied is refused before anything is taken, with what to do")
    func refusals() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder, "--rate", "30", "--stream", "lores=80x64:GREY")
        func refusal(_ arguments: String...) throws -> (code: Int32, text: String) {
            let run = try CommandRun(["relay", "cam"] + arguments, in: folder).wait()
            return (run.code, run.errors)
        }
        var run = try refusal("--crop", "main=33x32+1+0")
        #expect(run.code == 64)
        #expect(run.text.contains("chroma") && run.text.contains("multiples of 2"))
        run = try refusal("--crop", "32x32+0+0")
        #expect(run.code == 64)
        #expect(run.text.contains("--crop main=640x480"))
        run = try refusal("--crop", "wide=32x32")
        #expect(run.text.contains("'wide'"))
        run = try refusal("--stream", "main", "--crop", "1000x32")
        #expect(run.text.contains("does not lie inside the image of 160x120"))
        #expect(try refusal("--bytes", "64K").text.contains("a pool has 2 to 1024"))
        #expect(try refusal("--slots", "4", "--bytes", "1M").code == 64)
        #expect(try refusal("--as", "cam").text.contains("published already"))
        #expect(try frameshare("relay", "nothing", in: folder).code == 3)
        publisher.send(SIGTERM)
        #expect(publisher.wait().code == 0)
    }
}
