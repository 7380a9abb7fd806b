import CommandTesting
import Foundation
import Glibc
import Testing

#if FFmpeg
/// One camera, one encoder, any number of recorders and viewers.
@Suite("Many readers", .timeLimit(.minutes(10)))
struct ManyReadersTests {
    /// What all these processes have of the camera's images, in kB: each page divided among those that have it mapped
    /// (`Pss`, proc_pid_smaps(5)).
    private func pixelMemory(_ runs: [CommandRun], channel: String) throws -> Int {
        var sum = 0
        for run in runs {
            var isImages = false
            // Its size is 0 to stat(2), by which Foundation's readers of whole files stop early.
            let file = try #require(FileHandle(forReadingAtPath: "/proc/\(run.pid)/smaps"))
            let text = String(decoding: file.readDataToEndOfFile(), as: UTF8.self)
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                if words.count > 5 || words.first?.contains("-") == true {
                    isImages = line.contains("/memfd:frameshare:\(channel):main")
                }
                if isImages, words.first == "Pss:" { sum += Int(words[1]) ?? 0 }
            }
        }
        return sum
    }

    @Test(
        "recorders and viewers share the camera's pixels, which are in memory once, and one encoder",
        arguments: [1, 2, 4]
    )
    func shared(count: Int) throws {
        let folder = try ChannelFolder()
        // The pattern waits for its encoder, so that nothing is lost on a slow machine either.
        let size = ["--size", "640x360", "--rate", "30", "--slots", "8"]
        let camera = try folder.publisher(size + ["--stall-limit", "never"])
        let patient = ["--policy", "every-frame", "--slots", "256"]
        let encode = try folder.started(["encode", "cam", "--keyframe-interval", "10"] + patient)
        let out = folder.scratchFile().path
        let recorders = try (0..<count).map { number in
            try folder.started(["record", "cam-h264", "-o", "\(out)-\(number).mp4", "--sidecar"])
        }
        let viewers = try (0..<count).map { _ in try CommandRun(["watch", "cam", "--verify", "--json"], in: folder) }
        let all = [camera, encode] + viewers + recorders
        // Everybody has read every slot.
        try eventually {
            let readers = try folder.top()["subscribers"].elements
            let isRead = try readers.filter { try $0["delivered"].int > 24 }.count == count + 1
            let recorded = try folder.top("cam-h264")["subscribers"].elements
            return try isRead && recorded.filter { try $0["delivered"].int > 24 }.count == count
                || all.contains { !$0.isRunning }
        }
        let names = try folder.top()["subscribers"].elements.map { try $0["name"].text }.sorted()
        #expect(names == (["encode cam-h264"] + Array(repeating: "watch", count: count)).sorted())
        let packets = try folder.top("cam-h264")["subscribers"].elements.map { try $0["name"].text }
        #expect(packets == Array(repeating: "record", count: count))

        // 8 slots of 640x360 YUV420, rounded down to kB in each mapping of each process.
        let pool = 8 * 640 * 360 * 3 / 2 / 1024
        // While somebody touches a page for the first time it may be counted twice, or not at all.
        try eventually {
            let used = try pixelMemory(all, channel: "cam")
            return used <= pool + 8 * 4 && used >= pool - 8 * 4 - 8 * all.count
        }

        for run in recorders { #expect(try folder.end(run)["lost"]["policy"].int == 0) }
        for run in viewers { #expect(try folder.end(run)["verified"]["wrong"].int == 0) }
        _ = try folder.end(encode)
        #expect(try folder.end(camera)["lost"]["no_free_slot"].int == 0)
        var encoded: Set<Int> = []
        var each: [[Int]] = []
        for number in 0..<count {
            let file = "\(out)-\(number).mp4"
            let (probe, told) = (try VideoProbe(file, in: folder), try SidecarLine.read(file + ".jsonl"))
            #expect(probe.complaints == "")
            #expect(probe.pictures == told.count && told.count > 20, "\(probe.pictures) of \(told.count)")
            each.append(told.map(\.sequence))
            encoded.formUnion(told.map(\.sequence))
        }
        // No recorder misses what another has between its own first and last.
        for sequence in each {
            let (first, last) = (try #require(sequence.first), try #require(sequence.last))
            #expect(sequence == encoded.filter { $0 >= first && $0 <= last }.sorted())
        }
    }
}
#endif
