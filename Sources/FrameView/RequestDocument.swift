#if View
internal import FrameJSON
internal import FrameShare
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// A request's body, which is a JSON object or nothing.
enum RequestDocument {
    private static let longest = 64 * 1024

    static func read(_ request: Request) async throws(Refusal) -> [String: JSONText] {
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased()
        guard type == "application/json" else {
            throw Refusal(.unsupportedMediaType, "the body has to be application/json")
        }
        if let length = request.headers[.contentLength].flatMap({ DecimalText.integer($0) }), length > longest {
            throw tooLong
        }
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: longest)
        } catch is NIOTooManyBytesError {
            throw tooLong
        } catch {
            throw .badBody("the body did not come whole")
        }
        guard case .object(let members)? = JSONText(bytes.readableBytesView) else {
            throw .badBody("the body is no JSON object")
        }
        return members
    }

    private static let tooLong = Refusal(.contentTooLarge, "a body has at most 64 kB")

    /// `{"ExposureTime": 8000, "AeEnable": false}`, in the order of the names.
    static func settings(_ request: Request) async throws(Refusal) -> [ControlSetting] {
        var settings: [ControlSetting] = []
        for (name, value) in try await read(request).sorted(by: { $0.key < $1.key }) {
            let text: String
            switch value {
            case .string(let string): text = string
            case .integer(let number): text = "\(number)"
            case .number(let number): text = "\(number)"
            case .bool(let isOn): text = "\(isOn)"
            case .null, .array, .object: throw .badBody("'\(name)': a text, a number, true or false")
            }
            settings.append(ControlSetting(name, text))
        }
        guard (1...64).contains(settings.count) else { throw .badBody("1 to 64 controls can be set at a time") }
        return settings
    }
}
#endif
