#if View
internal import FrameJSON
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// An answer that is not a success: a status, and in words what failed.
struct Refusal: Error {
    var status: HTTPResponse.Status
    var text: String
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ text: String, _ headers: HTTPFields = [:]) {
        (self.status, self.text, self.headers) = (status, text, headers)
        if status == .unauthorized { self.headers[.wwwAuthenticate] = "Basic realm=\"FrameShare\", charset=\"UTF-8\"" }
    }

    static let noSuchPage = Refusal(
        .notFound,
        "there is nothing here; openapi.json beside the page says what there is"
    )
    static let tooManyViewers = Refusal(.tooManyRequests, "as many viewers as are served at a time are there")
    static let noSignal = Refusal(
        .serviceUnavailable,
        "no signal: nobody publishes the channel now",
        [.retryAfter: "1"]
    )

    static func badName(_ name: String) -> Refusal {
        Refusal(.badRequest, "that can't be the name of a channel or stream")
    }
    static func badBody(_ text: String) -> Refusal { Refusal(.badRequest, text) }
    static func method(allowed: String) -> Refusal {
        Refusal(.methodNotAllowed, "this takes \(allowed)", [.allow: allowed])
    }

    var response: Response {
        var response = Response.json(.object(["error": .string(text)]), status)
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}

extension Response {
    static func json(_ value: JSONValue, _ status: HTTPResponse.Status = .ok) -> Response {
        text(value.text, type: "application/json", status)
    }

    static func text(_ text: String, type: String, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

extension HTTPFields {
    /// What every answer has: nothing is fetched from elsewhere, guessed, kept or framed.
    mutating func add(commonTo request: Request) {
        self[.contentSecurityPolicy] = """
            default-src 'none'; img-src 'self' blob:; media-src 'self' blob:; script-src 'self'; style-src 'self'; \
            connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
            """
        self[.xContentTypeOptions] = "nosniff"
        if let policy = HTTPField.Name("Referrer-Policy") { self[policy] = "no-referrer" }
        self[.cacheControl] = "no-store"
        // nginx would gather live pictures and events before it passes them on.
        if let buffering = HTTPField.Name("X-Accel-Buffering") { self[buffering] = "no" }
    }
}
#endif
