import Testing

@testable import FrameSources

@Suite("How a capture recovers")
struct StreamRecoveryTests {
    private func steady(_ recovery: inout StreamRecovery) {
        for _ in 0..<10 { _ = recovery.noteFrame() }
    }

    @Test("restarts come at once, then after longer and longer pauses, up to the limit")
    func pauses() {
        var recovery = StreamRecovery(frameTimeout: nil, restartLimit: 5)
        steady(&recovery)
        let pauses = (0..<6).map { _ in recovery.pauseBeforeRestart(isSilence: false) }
        let expected: [Duration?] = [
            .zero, .milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), nil,
        ]
        #expect(pauses == expected)
    }

    @Test("a camera that has never given a frame is given up sooner")
    func neverStreamed() {
        var recovery = StreamRecovery(frameTimeout: nil, restartLimit: 5)
        let pauses = (0..<3).map { _ in recovery.pauseBeforeRestart(isSilence: false) }
        #expect(pauses == [.zero, .milliseconds(250), nil])
    }

    @Test("one frame between errors doesn't make a stream steady, ten do")
    func steadiness() {
        var recovery = StreamRecovery(frameTimeout: nil, restartLimit: 2)
        steady(&recovery)
        for _ in 0..<2 {
            let pause = recovery.pauseBeforeRestart(isSilence: false)
            #expect(pause != nil)
            _ = recovery.noteTrouble()
            _ = recovery.noteFrame()
        }
        let afterTwo = recovery.pauseBeforeRestart(isSilence: false)
        #expect(afterTwo == nil)
        steady(&recovery)
        let afterTen = recovery.pauseBeforeRestart(isSilence: false)
        #expect(afterTen == .zero)
    }

    @Test("silence has no limit, is looked at more and more seldom, and isn't counted as an error")
    func silence() {
        var recovery = StreamRecovery(frameTimeout: .seconds(5), restartLimit: 3)
        steady(&recovery)
        #expect(recovery.silenceLimit == .seconds(5))
        let pauses = (0..<100).map { _ in recovery.pauseBeforeRestart(isSilence: true) }
        #expect(!pauses.contains(nil))
        #expect(recovery.silenceLimit == .seconds(60))
        let longest = recovery.pauseBeforeRestart(isSilence: true)
        #expect(longest == .seconds(10))
        let first = recovery.pauseBeforeRestart(isSilence: false)
        #expect(first != nil)
        steady(&recovery)
        #expect(recovery.silenceLimit == .seconds(5))
    }

    @Test("trouble is news once, and ends with the first frame")
    func news() {
        var recovery = StreamRecovery(frameTimeout: nil, restartLimit: nil)
        let isNews = [
            recovery.noteFrame(), recovery.noteTrouble(), recovery.noteTrouble(), recovery.noteFrame(),
            recovery.noteFrame(), recovery.noteTrouble(),
        ]
        #expect(isNews == [false, true, false, true, false, true])
    }

    @Test("any time-out is possible, and a slow camera's is longer than its interval")
    func limits() {
        for (timeout, interval, expected) in [
            (.zero, nil, .milliseconds(1)), (.seconds(-1), nil, .milliseconds(1)),
            (.seconds(5), .seconds(20), .seconds(60)), (.seconds(5), .milliseconds(33), .seconds(5)),
            (.seconds(Int64.max), .seconds(Int64.max), .seconds(31_536_000)),
        ] as [(Duration, Duration?, Duration)] {
            var recovery = StreamRecovery(frameTimeout: timeout, restartLimit: nil, interval: interval)
            #expect(recovery.silenceLimit == expected)
            for _ in 0..<70 { _ = recovery.pauseBeforeRestart(isSilence: true) }
            #expect(recovery.silenceLimit == max(expected, min(.seconds(60), expected * 256)))
        }
        #expect(StreamRecovery(frameTimeout: nil, restartLimit: nil).silenceLimit == nil)
    }
}
