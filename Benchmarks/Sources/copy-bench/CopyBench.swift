import FrameShare
import Glibc

/// A copy stage's copies beside memcpy of the same bytes: `copy-bench [ROUNDS]`. Part of `make bench`.
///
/// Frame by frame in turn: memcpy from the leased frame to a slot of the copies' pool, the stage's copy of the image, and
/// the whole way of a copy (take, find a slot, copy, publish, release). Both pools are larger than the caches and gone
/// through in turn.
@main
enum CopyBench {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count <= 2, let rounds = Int(arguments.count == 2 ? arguments[1] : "6"), rounds > 0 else {
            print("usage: copy-bench [ROUNDS]")
            exit(64)
        }
        print("Copies beside memcpy of the same bytes, \(rounds) rounds, medians; 1.00 is memcpy's speed")
        print(pad("image", 34), pad("MB", 7), pad("memcpy GB/s", 12), pad("copy", 6), "the whole way")
        for image in try images() {
            var measured: [Round] = []
            let bench = try CopyCell(image)
            for _ in 0..<rounds { measured.append(try bench.round()) }
            let speed = median(measured.map { Double(image.bytes) / $0.memcpy })
            print(
                pad(image.name, 34),
                pad(text(Double(image.bytes) / 1e6), 7),
                pad(text(speed), 12),
                pad(text(median(measured.map { $0.memcpy / $0.copy })), 6),
                text(median(measured.map { $0.memcpy / $0.whole }))
            )
        }
        print("\nPublishing with a copy for a reader that lags, beside memcpy of the same bytes")
        print(pad("image", 34), pad("MB", 7), pad("memcpy GB/s", 12), "publishing")
        for image in try images().prefix(2) {
            let bench = try LagCell(image)
            var measured: [(memcpy: Double, publish: Double)] = []
            for _ in 0..<rounds { measured.append(try bench.round()) }
            print(
                pad(image.name, 34),
                pad(text(Double(image.bytes) / 1e6), 7),
                pad(text(median(measured.map { Double(image.bytes) / $0.memcpy })), 12),
                text(median(measured.map { $0.memcpy / $0.publish }))
            )
        }
    }

    private static func images() throws -> [CopyCell.Image] {
        let pi = try ImageLayout.computed(width: 704, height: 576, format: .yuv420, strideAlignment: 384)
        let hd = try ImageLayout.computed(width: 1920, height: 1080, format: .yuv420)
        let wide = try ImageLayout.computed(width: 1920, height: 1080, format: .yuv420, strideAlignment: 1280)
        return [
            try .init("1080p YUV420", hd),
            try .init("12 MP RGB888", .computed(width: 4056, height: 3040, format: .rgb888)),
            try .init("1080p YUV420, stride 2560", wide),
            try .init("704x576 YUV420, stride 768", pi),
            try .init("640x480 of 1080p YUV420", hd, Crop(x: 320, y: 240, width: 640, height: 480)),
        ]
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static func text(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// The mean time of a frame in one round, in ns.
struct Round {
    var memcpy = 0.0
    var copy = 0.0
    var whole = 0.0
}

/// Originals and copies of one kind of image.
final class CopyCell {
    struct Image {
        let name: String
        let layout: ImageLayout
        let crop: Crop?
        /// What a copy has.
        let bytes: Int

        init(_ name: String, _ layout: ImageLayout, _ crop: Crop? = nil) throws {
            (self.name, self.layout, self.crop) = (name, layout, crop)
            let copy = try ImageCopy(of: layout, crop: crop).destination
            bytes = copy.planes.indices.reduce(0) { $0 + (copy.rowBytes(plane: $1) ?? 0) * (copy.rows(plane: $1) ?? 0) }
        }
    }

    private let copy: ImageCopy
    private let bytes: Int
    private let folder: ScratchFolder
    private let originals: Publisher
    private let copies: Publisher
    private let subscriber: Subscriber
    /// They never take anything, so that each slot comes up in turn.
    private let idlers: [Subscriber]

    init(_ image: Image) throws {
        copy = try ImageCopy(of: image.layout, crop: image.crop)
        bytes = image.bytes
        folder = try ScratchFolder()
        var options = Publisher.Options()
        options.directory = folder.directory
        let slots = max(6, (128 << 20) / image.layout.bufferSize(0))
        originals = try Publisher(channel: "from", streams: ["main": image.layout], slots: slots, options: options)
        copies = try Publisher(channel: "to", streams: ["main": copy.destination], slots: slots, options: options)
        var reading = Subscriber.Options()
        reading.directory = options.directory
        subscriber = try Subscriber(channel: "from", policy: .latest, options: reading)
        idlers = try ["from", "to"].map { name in
            reading.budget = slots - 3
            return try Subscriber(channel: name, policy: .queue(slots - 4), options: reading)
        }
    }

    deinit {
        for publisher in [originals, copies] { publisher.close() }
        folder.remove(["from", "to"])
    }

    func round() throws -> Round {
        var sum = Round()
        let turns = max(12, (512 << 20) / bytes / 3)
        for turn in 0..<turns * 3 {
            try originals.publish(try originals.nextSlotBlocking(timeout: .seconds(5)))
            let began = now()
            guard let frame = try subscriber.tryNext(), let slot = try copies.tryNextSlot() else {
                throw ChannelError.timedOut()
            }
            let middle = now()
            move(frame, slot, plainly: turn % 3 == 0)
            if turn % 3 == 0 { sum.memcpy += Double(now() - middle) }
            if turn % 3 == 1 { sum.copy += Double(now() - middle) }
            try copies.publish(slot)
            frame.release()
            if turn % 3 == 2 { sum.whole += Double(now() - began) }
        }
        return Round(
            memcpy: sum.memcpy / Double(turns),
            copy: sum.copy / Double(turns),
            whole: sum.whole / Double(turns)
        )
    }

    private func move(_ frame: borrowing Frame, _ slot: borrowing WritableSlot, plainly: Bool) {
        guard plainly else {
            copy.copy(frame["main"], into: slot["main"])
            return
        }
        frame["main"].withBytes { source in
            source.withUnsafeBytes { source in
                _ = slot["main"].withUnsafeMutableBytes { target in
                    guard let to = target.baseAddress, let from = source.baseAddress else { return }
                    memcpy(to, from, bytes)
                }
            }
        }
    }

    private func now() -> Int64 { FrameTimestamp.now().nanoseconds }
}
