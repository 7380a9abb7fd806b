public import PixelFormats
public import SystemPackage

/// Why a sink couldn't write an image.
public enum SinkError: Error, Hashable, Sendable {
    /// The sink can't hold this format; `advice` names formats or sinks that can.
    case unsupportedFormat(PixelFormat, sink: String, advice: String)
    /// The layout contradicts itself.
    case layout(ImageLayoutError)
    /// A plane needs more bytes than it was given: the layout doesn't belong to these bytes.
    case planeTooShort(plane: Int, needed: Int, given: Int)
    /// A stream has one layout from its header on, and this image has another: open a new file for it.
    case layoutChanged(from: ImageLayout, to: ImageLayout)
    /// The program at the other end of the pipe or socket has closed it (`EPIPE`). Usually no fault: it had enough.
    case readerClosed
    /// A system call failed. `path` is there when the sink opened a file itself.
    case system(call: String, path: String?, Errno)
    /// A file that is not to be replaced has this name.
    case fileExists(String)
    /// libpng or libjpeg-turbo refused, in its own words.
    case encoder(String)
    /// The package was built without its trait `Snapshot`, which this needs.
    case notInThisBuild(String)
}

extension SinkError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedFormat(let format, let sink, let advice):
            "\(sink) can't hold \(format.name): \(advice)"
        case .layout(let error):
            "the image layout is wrong: \(error)"
        case .planeTooShort(let plane, let needed, let given):
            "plane \(plane) needs \(needed) bytes and has \(given): the layout doesn't belong to these bytes"
        case .layoutChanged(let from, let to):
            """
            the image changed from \(from.width)x\(from.height) \(from.format.name) to \
            \(to.width)x\(to.height) \(to.format.name): start a new file
            """
        case .readerClosed:
            "the reader at the other end has closed the pipe"
        case .system(let call, let path, let errno):
            "\(call)\(path.map { " \($0)" } ?? ""): \(errno)"
        case .fileExists(let path):
            "\(path) is there already; choose another name, or --overwrite"
        case .encoder(let message):
            "the encoder failed: \(message)"
        case .notInThisBuild(let what):
            "\(what) needs a build with --traits Snapshot (packages libpng-dev and libturbojpeg0-dev)"
        }
    }
}
