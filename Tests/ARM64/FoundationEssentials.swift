// What swift-argument-parser names of FoundationEssentials. Debian's build of the module is for its own compiler alone,
// and has no textual interface. The command's JSON is FrameJSON's, so nothing here is called by a test.
public protocol LocalizedError: Error { var errorDescription: String? { get } }
extension LocalizedError { public var errorDescription: String? { nil } }

public struct Data: Sendable {
    public var bytes: [UInt8] = []
    public init() {}
}

open class JSONEncoder {
    public struct OutputFormatting: OptionSet, Sendable {
        public let rawValue: UInt
        public init(rawValue: UInt) { self.rawValue = rawValue }
        public static let prettyPrinted = OutputFormatting(rawValue: 1)
        public static let sortedKeys = OutputFormatting(rawValue: 2)
    }
    public var outputFormatting: OutputFormatting = []
    public init() {}
    open func encode<T: Encodable>(_ value: T) throws -> Data { Data() }
}

extension String {
    public enum Encoding: Sendable { case utf8 }
    public init?(data: Data, encoding: Encoding) { self.init(decoding: data.bytes, as: UTF8.self) }
}
