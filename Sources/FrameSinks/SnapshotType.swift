/// What kind of file a snapshot is.
public enum SnapshotType: Sendable, Hashable {
    /// Lossless; formats of more than eight bits give 16-bit files.
    case png
    /// `quality` is libjpeg's, 1...100.
    case jpeg(quality: Int = 90)

    /// By the ending of a file's name: `.png`, `.jpg`, `.jpeg`, in any case; `nil` for others.
    public init?(path: String) {
        guard let dot = path.lastIndex(of: ".") else {
            return nil
        }
        switch path[path.index(after: dot)...].lowercased() {
        case "png": self = .png
        case "jpg", "jpeg": self = .jpeg()
        default: return nil
        }
    }
}
