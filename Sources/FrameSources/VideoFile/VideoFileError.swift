public import FrameShare

/// Why a video file can't be played.
public enum VideoFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The package was built without its trait `FFmpeg`.
    case notInThisBuild
    /// FFmpeg's libraries can't be loaded, in the dynamic linker's words.
    case notInstalled(String)
    case open(path: String, reason: String)
    /// There is no video in it, or none that can be decoded.
    case noVideo(path: String)
    /// Its pictures have more pixels than are decoded here.
    case tooLarge(path: String, width: Int, height: Int, most: Int64)
    case decode(path: String, reason: String)
    /// Not one picture of it can be decoded.
    case nothingDecodable(path: String, reason: String)
    /// A line of its side-car can't be read.
    case sidecar(path: String, line: Int)
    case badSpeed(Double)
    case badRate(Double)
    /// A rate was asked for, and the file has one.
    case ownRate(path: String)
    /// The channel was made for other frames.
    case otherStreams
    case channel(ChannelError)

    public var description: String {
        switch self {
        case .notInThisBuild:
            "a video file needs a build with --traits FFmpeg (packages libavformat-dev and libswscale-dev)"
        case .notInstalled(let reason):
            "FFmpeg's libraries can't be loaded: \(reason). Install libavformat59 and libswscale6"
        case .open(let path, let reason): "\(path) can't be opened: \(reason)"
        case .noVideo(let path): "\(path) has no video that this machine's FFmpeg can decode"
        case .tooLarge(let path, let width, let height, let most):
            "\(path): pictures of \(width)x\(height) have \(Int64(width) * Int64(height)) pixels; at most \(most) are decoded here: "
                + "268435456, or one for each 32 bytes of free memory"
        case .decode(let path, let reason): "\(path) can't be decoded: \(reason)"
        case .nothingDecodable(let path, let reason):
            "\(path): not one picture can be decoded: \(reason). A recording that ended in its first second may hold none"
        case .sidecar(let path, let line): "\(path): line \(line) is not what a recorder writes"
        case .badSpeed(let speed): "a speed of \(speed) is not possible; 0.001 to 1000, or 0 for as fast as can be"
        case .badRate(let rate): "\(rate) frames a second are not possible for a file; 0.001 to 1000"
        case .ownRate(let path): "\(path) has a rate of its own: to play it faster or slower, give a speed"
        case .otherStreams: "the channel has other streams than the file's"
        case .channel(let error): "\(error)"
        }
    }
}
