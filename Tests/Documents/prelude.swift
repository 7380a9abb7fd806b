// What the documents' snippets leave to their reader: placeholders, and what earlier snippets have made.

import FrameShare
import FrameShareTestKit
import FrameSinks
import FrameSources
import FrameWorkers
import Glibc

let running = true
var layout: ImageLayout { fatalError() }
var publisher: Publisher { fatalError() }
var camera: Subscriber { fatalError() }
var somePicture: [UInt8] { [] }

func draw(_ bytes: inout MutableRawSpan) {}
func detect(_ bytes: RawSpan) -> [MetadataValue.Rectangle] { [] }
func detect(_ bytes: RawSpan, _ metadata: borrowing MetadataView, _ sequence: UInt64) {}
func show(_ value: MetadataValue?) {}

struct Model {
    init(path: String) throws {}
    func detect(_ bytes: RawSpan) -> [MetadataValue.Rectangle] { [] }
}

/// A driver whose buffers are registered: Sources/FrameShare/Docs.docc/CameraBuffers.md.
let exported: [Int32] = []
let size = 4096
func queueToDriver(_ slot: Int) {}
func waitForDriver(or descriptor: Int32) {}
func dequeueFromDriver() -> (slot: Int, sequence: UInt64, nanoseconds: Int64, isDamaged: Bool)? { nil }
