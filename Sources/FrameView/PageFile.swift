#if View
internal import NIOCore

/// A file of the page, out of the program itself.
struct PageFile: Sendable {
    let type: String
    let bytes: ByteBuffer

    init?(_ name: String) {
        guard let file = Self.all[name] else { return nil }
        self = file
    }

    private init(_ type: String, _ bytes: [UInt8]) { (self.type, self.bytes) = (type, ByteBuffer(bytes: bytes)) }

    private static let script = "text/javascript; charset=utf-8"
    private static let all: [String: PageFile] = [
        "index.html": PageFile("text/html; charset=utf-8", PackageResources.index_html),
        "view.css": PageFile("text/css; charset=utf-8", PackageResources.view_css),
        "view.js": PageFile(script, PackageResources.view_js),
        "channel.js": PageFile(script, PackageResources.channel_js),
        "picture.js": PageFile(script, PackageResources.picture_js),
        "statistics.js": PageFile(script, PackageResources.statistics_js),
        "connections.js": PageFile(script, PackageResources.connections_js),
        "controls.js": PageFile(script, PackageResources.controls_js),
        "video.js": PageFile(script, PackageResources.video_js),
        "icon.svg": PageFile("image/svg+xml", PackageResources.icon_svg),
        "openapi.json": PageFile("application/json", PackageResources.openapi_json),
    ]
}
#endif
