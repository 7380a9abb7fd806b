internal import FrameShare
internal import Glibc

/// A publisher that asks a group about each frame, and checks that each answer belongs to its frame.
///
/// Told `ask COUNT [COMMAND]`, it publishes so many frames whose pixels tell the workers what to do (Tests/TestWorker), and
/// says how they ended. Every other frame may be handed over to another worker.
///
/// Keys: `slots`, `inflight` (the most frames that are asked about at a time), `deadline` (ms), `cut-off`.
struct AskRole {
    private let publisher: Publisher
    private let arguments: PeerArguments
    private var tally = Tally()
    private var asked: UInt64 = 0

    /// How frames ended, each once.
    private struct Tally {
        var answered = 0
        var wrong = 0
        var lost = 0
        var withdrawn = 0
        var other: [String: Int] = [:]

        var total: Int { answered + wrong + lost + withdrawn + other.values.reduce(0, +) }

        mutating func count(_ outcome: Result<Answer, WorkError>, number: UInt64) {
            switch outcome {
            case .success(let answer) where answer["number"]?.integer == Int64(number): answered += 1
            case .success: wrong += 1
            case .failure(.workerLost): lost += 1
            case .failure(.withdrawn): withdrawn += 1
            case .failure(let error): other["\(error)", default: 0] += 1
            }
        }
    }

    static func run(_ arguments: PeerArguments) async {
        do throws(ChannelError) {
            var role = try AskRole(arguments)
            // The runtime's own descriptors come with the first timer.
            try? await Task.sleep(for: .milliseconds(1))
            say("asking pid=\(getpid())")
            var input = LineInput()
            while let line = input.next(milliseconds: -1) { await role.obey(line) }
        } catch {
            say("failed \(error.name) \(error)")
            exit(3)
        }
    }

    private init(_ arguments: PeerArguments) throws(ChannelError) {
        self.arguments = arguments
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: arguments.folder)
        options.metadataCapacity = 1024
        let plane = PlaneLayout(offset: 0, stride: 64, size: 64 * 16)
        let layout = ImageLayout(width: 64, height: 16, format: .r8, planes: [plane])
        publisher = try Publisher(
            channel: arguments.channel,
            streams: ["main": layout],
            slots: arguments.number("slots", 16),
            options: options
        )
    }

    private mutating func obey(_ line: [String]) async {
        switch line.first {
        case "ask": await ask(Int(line[1]) ?? 1, command: line.count > 2 ? UInt64(line[2]) ?? 0 : 0)
        case "report": report()
        default: say("unknown \(line)")
        }
    }

    private mutating func ask(_ count: Int, command: UInt64) async {
        let limit = arguments.number("inflight", 8)
        let (outcomes, next, failure) = await withTaskGroup(of: (Result<Answer, WorkError>, UInt64).self) { group in
            var (outcomes, next, running) = (tally, asked, 0)
            var failure: ChannelError? = nil
            do throws(ChannelError) {
                for _ in 0..<count {
                    if running == limit, let (outcome, number) = await group.next() {
                        outcomes.count(outcome, number: number)
                        running -= 1
                    }
                    try await publisher.waitForRoom(in: "tested", timeout: .seconds(60))
                    let slot = try await publisher.nextSlot(timeout: .seconds(60))
                    let number = next
                    next += 1
                    Self.fill(slot, number, command)
                    let pending = try publish(slot, number)
                    group.addTask { (await Self.outcome(of: pending), number) }
                    running += 1
                }
            } catch {
                failure = error
            }
            while let (outcome, number) = await group.next() { outcomes.count(outcome, number: number) }
            return (outcomes, next, failure)
        }
        if let failure { say("failed \(failure.name) \(failure)") }
        asked = next
        tally = outcomes
        let other = tally.other.sorted { $0.value > $1.value }.prefix(3).map { "\($0.value)x\($0.key)" }
        say(
            "asked total=\(tally.total) answered=\(tally.answered) wrong=\(tally.wrong) lost=\(tally.lost)"
                + " withdrawn=\(tally.withdrawn) other=\(tally.other.values.reduce(0, +)) \(other.joined(separator: "; "))"
        )
    }

    private func publish(_ slot: consuming WritableSlot, _ number: UInt64) throws(ChannelError) -> PendingAnswer {
        var options = AskOptions()
        options.deadline = .milliseconds(arguments.number("deadline", 60_000))
        if arguments.flag("cut-off") { options.overdue = .isCutOff }
        if number % 2 == 0 { options.workerLoss = .handOver(attempts: 3) }
        do throws(WorkError) {
            return try publisher.submit("tested", slot, FrameDescription(sequence: number), options: options)
        } catch {
            if case .channel(let error) = error { throw error }
            throw .protocolViolation("\(error)")
        }
    }

    private static func outcome(of pending: PendingAnswer) async -> Result<Answer, WorkError> {
        do throws(WorkError) {
            return .success(try await pending.answer)
        } catch {
            return .failure(error)
        }
    }

    private static func fill(_ slot: borrowing WritableSlot, _ number: UInt64, _ command: UInt64) {
        slot["main"].withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: number, toByteOffset: 0, as: UInt64.self)
            bytes.storeBytes(of: command, toByteOffset: 8, as: UInt64.self)
        }
    }

    private func report() {
        let s = publisher.statistics
        let group = s.groups.first
        say(
            "report published=\(s.published) slots=\(s.slots) free=\(s.slotsFree) members=\(group?.members ?? 0)"
                + " given=\(group?.given ?? 0) lost=\(group?.lost ?? 0) answered=\(group?.answered ?? 0)"
                + " failed=\(group?.failed ?? 0) pending=\(group?.pending ?? 0) discarded=\(group?.discarded ?? 0)"
                + " subscribers=\(s.subscribers.count) \(ProcessState.summary)"
        )
    }
}
