import PixelFormats
import Testing

@Suite("ImageLayout: numbers of peers aren't trusted")
struct ImageLayoutValidationTests {
    @Test("each wrong number is found", arguments: WrongNumber.all)
    func wrongNumbers(_ wrong: WrongNumber) throws {
        var layout = try ImageLayout.computed(width: 8, height: 4, format: .nv12)
        wrong.change(&layout)
        #expect(throws: wrong.error) { try layout.validate() }
    }

    @Test("an error says what is wrong in words with the numbers")
    func errorText() {
        let tooSmall = ImageLayoutError.planeTooSmall(plane: 1, size: 15, needed: 16)
        #expect("\(tooSmall)" == "plane 1 has 15 bytes, its rows need 16")
        let wrongCount = ImageLayoutError.wrongPlaneCount(.mjpeg, found: 2, needed: 1)
        #expect("\(wrongCount)" == "MJPEG needs 1 plane, the layout has 2")
    }

    @Test("a computed layout of impossible size or alignment is refused", arguments: [0, -1, 65537, Int.min, .max])
    func impossible(number: Int) {
        #expect(throws: ImageLayoutError.sizeOutOfRange(width: number, height: 4)) {
            try ImageLayout.computed(width: number, height: 4, format: .nv12)
        }
        #expect(throws: ImageLayoutError.sizeOutOfRange(width: 4, height: number)) {
            try ImageLayout.computed(width: 4, height: number, format: .nv12)
        }
        #expect(throws: ImageLayoutError.alignmentOutOfRange(number)) {
            try ImageLayout.computed(width: 4, height: 4, format: .nv12, strideAlignment: number)
        }
        guard number <= 0 else { return }
        #expect(throws: ImageLayoutError.self) {
            try ImageLayout.opaque(width: 4, height: 4, format: .mjpeg, capacity: number)
        }
    }

    @Test("no numbers make a layout trap; what passes has every row inside its buffer")
    func randomNumbers() throws {
        var random = SeededGenerator(seed: 2)
        var passed = 0
        for round in 0..<20_000 {
            var layout = try randomLayout(&random)
            // From a sound layout a few numbers away, so that a good part passes.
            for _ in 0..<Int.random(in: 0...2, using: &random) { spoil(&layout, &random) }
            useEveryMember(layout, number: random.hostileInt())
            guard (try? layout.validate()) != nil else { continue }
            passed += 1
            expectSound(layout, "round \(round)")
        }
        #expect(passed > 1000)
        #expect(passed < 19_000)
    }

    @Test("no numbers of a driver make a layout trap; what passes is sound")
    func randomDriver() throws {
        var random = SeededGenerator(seed: 3)
        var passed = 0
        for round in 0..<20_000 {
            let anyFormat = try #require(PixelFormat.all.randomElement(using: &random))
            let format = Bool.random(using: &random) ? anyFormat : .nv12
            let width = Bool.random(using: &random) ? random.hostileInt() : 640
            let height = Bool.random(using: &random) ? random.hostileInt() : 480
            let count = Int.random(in: 0...5, using: &random)
            let planes = (0..<count).map { _ in
                V4L2Plane(
                    bytesPerLine: Bool.random(using: &random) ? random.hostileInt() : 1280,
                    sizeImage: Bool.random(using: &random) ? random.hostileInt() : 1_000_000,
                    dataOffset: Bool.random(using: &random) ? random.hostileInt() : 0
                )
            }
            let layout = try? ImageLayout.v4l2(width: width, height: height, format: format, planes: planes)
            guard let layout else { continue }
            passed += 1
            expectSound(layout, "round \(round)")
            for buffer in 0..<layout.bufferCount {
                #expect(layout.bufferSize(buffer) <= planes[buffer].sizeImage, "round \(round)")
            }
        }
        #expect(passed > 100)
    }

    private func randomLayout(_ random: inout SeededGenerator) throws -> ImageLayout {
        let width = Int.random(in: 1...3000, using: &random)
        let height = Int.random(in: 1...3000, using: &random)
        let format = try #require((PixelFormat.all + [unknownFormat]).randomElement(using: &random))
        if format.isCompressed || format.info == nil {
            return try ImageLayout.opaque(width: width, height: height, format: format, capacity: 1000)
        }
        return try ImageLayout.computed(
            width: width,
            height: height,
            format: format,
            strideAlignment: Int.random(in: 1...128, using: &random)
        )
    }

    private func spoil(_ layout: inout ImageLayout, _ random: inout SeededGenerator) {
        let number = random.hostileInt()
        switch Int.random(in: 0..<8, using: &random) {
        case 0: layout.width = number
        case 1: layout.height = number
        case 2: layout.planes.append(PlaneLayout(offset: number, stride: number, size: number, buffer: number))
        case 3: layout.format = PixelFormat.all.randomElement(using: &random) ?? .r8
        default:
            guard let plane = layout.planes.indices.randomElement(using: &random) else { return }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: layout.planes[plane].offset = number
            case 1: layout.planes[plane].stride = number
            case 2: layout.planes[plane].size = number
            default: layout.planes[plane].buffer = number
            }
        }
    }

    private func useEveryMember(_ layout: ImageLayout, number: Int) {
        #expect((1...ImageLayout.mostPlanes).contains(layout.bufferCount))
        for plane in [number, 0, 1, 2, -1, .max] {
            _ = layout.rowBytes(plane: plane)
            _ = layout.rows(plane: plane)
            #expect(layout.bufferSize(plane) >= 0)
        }
        do {
            try layout.validate(bufferSizes: [number])
        } catch {
            #expect(!"\(error)".isEmpty)
        }
        #expect(!"\(layout)".isEmpty)
    }

    /// Counted again in numbers that can't overflow.
    private func expectSound(_ layout: ImageLayout, _ comment: Comment) {
        for (index, plane) in layout.planes.enumerated() {
            let end = Int128(plane.offset) + Int128(plane.size)
            #expect(plane.offset >= 0, comment)
            #expect((0..<layout.bufferCount).contains(plane.buffer), comment)
            #expect(end <= Int128(layout.bufferSize(plane.buffer)), comment)
            guard let rowBytes = layout.rowBytes(plane: index), let rows = layout.rows(plane: index) else { continue }
            let bits = Int128(layout.width) * Int128(layout.format.info?.bitDepth == 6 ? 16 : 8)
            // The first plane has at least a byte a pixel in all formats.
            if index == 0 { #expect(Int128(rowBytes) * 8 >= bits, comment) }
            #expect(Int128(plane.offset) + Int128(rows - 1) * Int128(plane.stride) + Int128(rowBytes) <= end, comment)
        }
    }
}

let unknownFormat = PixelFormat(fourcc: FourCC(rawValue: 0x3231_5958))

/// One thing wrong with a sound 8x4 NV12 layout, and the error that must say so.
struct WrongNumber: Sendable, CustomTestStringConvertible {
    let error: ImageLayoutError
    let change: @Sendable (inout ImageLayout) -> Void

    var testDescription: String { "\(error)" }

    init(_ error: ImageLayoutError, _ change: @escaping @Sendable (inout ImageLayout) -> Void) {
        self.error = error
        self.change = change
    }

    static let all: [WrongNumber] = [
        WrongNumber(.sizeOutOfRange(width: 0, height: 4)) { $0.width = 0 },
        WrongNumber(.sizeOutOfRange(width: 65537, height: 4)) { $0.width = 65537 },
        WrongNumber(.sizeOutOfRange(width: 8, height: -1)) { $0.height = -1 },
        WrongNumber(.wrongPlaneCount(.nv12, found: 1, needed: 2)) { $0.planes.removeLast() },
        WrongNumber(.wrongPlaneCount(.nv12, found: 3, needed: 2)) { $0.planes.append($0.planes[1]) },
        WrongNumber(.wrongPlaneCount(.mjpeg, found: 2, needed: 1)) { $0.format = .mjpeg },
        WrongNumber(.wrongPlaneCount(unknownFormat, found: 0, needed: nil)) {
            $0.format = unknownFormat
            $0.planes = []
        },
        WrongNumber(.wrongPlaneCount(unknownFormat, found: 5, needed: nil)) {
            $0.format = unknownFormat
            $0.planes = Array(repeating: $0.planes[0], count: 5)
        },
        WrongNumber(.strideTooSmall(plane: 0, stride: 7, rowBytes: 8)) { $0.planes[0].stride = 7 },
        WrongNumber(.strideTooSmall(plane: 1, stride: 0, rowBytes: 8)) { $0.planes[1].stride = 0 },
        WrongNumber(.planeTooSmall(plane: 0, size: 32, needed: 36)) { $0.planes[0].stride = 9 },
        WrongNumber(.planeTooSmall(plane: 1, size: 15, needed: 16)) { $0.planes[1].size = 15 },
        WrongNumber(.planeOutOfRange(plane: 0, PlaneLayout(offset: -1, stride: 8, size: 32))) {
            $0.planes[0].offset = -1
        },
        WrongNumber(.planeOutOfRange(plane: 1, PlaneLayout(offset: 32, stride: -8, size: 16))) {
            $0.planes[1].stride = -8
        },
        WrongNumber(.planeOutOfRange(plane: 1, PlaneLayout(offset: 32, stride: 8, size: 0))) {
            $0.planes[1].size = 0
        },
        WrongNumber(.planeOutOfRange(plane: 1, PlaneLayout(offset: 32, stride: 8, size: .max))) {
            $0.planes[1].size = .max
        },
        WrongNumber(.planeOutOfRange(plane: 0, PlaneLayout(offset: 0, stride: .max, size: 32))) {
            $0.planes[0].stride = .max
        },
        WrongNumber(.bufferIndices([0, 2])) { $0.planes[1].buffer = 2 },
        WrongNumber(.bufferIndices([0, -1])) { $0.planes[1].buffer = -1 },
        WrongNumber(.bufferIndices([0, .max])) { $0.planes[1].buffer = .max },
        WrongNumber(.bufferIndices([1, 1])) {
            $0.planes[0].buffer = 1
            $0.planes[1].buffer = 1
        },
    ]
}
