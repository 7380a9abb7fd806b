import Glibc
import PeerTesting
import Synchronization

/// frameshare-soak: one publisher, nine subscribers, and a seeded chance that kills, stops, replaces and reconfigures.
@main
struct SoakCommand {
    static let usage = """
        usage: frameshare-soak [--minutes N] [--seed N]

        A camera at 60 frames a second and 9 subscriber processes of mixed policies, of which all but one are killed,
        stopped, replaced or let go all the time, while the camera is reconfigured. Every few seconds all accounts are
        settled: what the camera's clock called for was published, or is counted with its cause; each frame was delivered
        to each subscriber, whole, or is counted where it was lost; and the publisher must have no more descriptors,
        mappings, threads and memory than when it was warm.

          --minutes N   how long, 2 if not told; fractions are possible
          --seed N      chooses what happens, in which order; told at the start, so that it can be given again

        Exit status: 0 if all held, 1 if not (what did not is printed), 64 for wrong arguments, 130 after Ctrl-C.
        """

    static func main() async {
        var minutes = 2.0
        var seed = UInt64.random(in: 1...999_999_999)
        var words = CommandLine.arguments.dropFirst()
        while let word = words.popFirst() {
            switch (word, words.popFirst()) {
            case ("--minutes", let value?):
                guard let number = Double(value), number > 0, number < 100_000 else { wrong("--minutes \(value)") }
                minutes = number
            case ("--seed", let value?):
                guard let number = UInt64(value) else { wrong("--seed \(value)") }
                seed = number
            case ("--help", _), ("-h", _):
                print(usage)
                return
            default: wrong(word)
            }
        }
        signal(SIGPIPE, SIG_IGN)
        Interruption.arm()
        say("soak: \(minutes) minutes, --seed \(seed)")
        exit(await soak(seconds: minutes * 60, seed: seed))
    }

    private static func soak(seconds: Double, seed: UInt64) async -> Int32 {
        do {
            let run = try await SoakRun(seconds: seconds, seed: seed)
            do {
                try await run.go()
            } catch {
                run.failed("\(error)")
            }
            return run.conclude(seed: seed)
        } catch {
            say("soak: FAULT: the camera does not start: \(error)")
            return 1
        }
    }

    private static func wrong(_ what: String) -> Never {
        let text = Array("frameshare-soak: what is '\(what)'?\n\(usage)\n".utf8)
        _ = write(2, text, text.count)
        exit(64)
    }
}

/// Prints a line at once.
func say(_ line: String) {
    print(line)
    fflush(nil)
}

/// Ctrl-C and SIGTERM: the run ends after what it is doing, and tidies up.
enum Interruption {
    private static let flag = Atomic<Bool>(false)
    static var came: Bool { flag.load(ordering: .relaxed) }

    static func arm() {
        for number in [SIGINT, SIGTERM] { signal(number) { _ in Interruption.flag.store(true, ordering: .relaxed) } }
    }
}
