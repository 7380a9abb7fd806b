import FrameSources

/// Which camera to take where the user names none.
enum CameraChoice {
    /// The first V4L2 camera that this user may open and that gives a picture by itself; nil: none.
    static func firstUsable() -> String? {
        V4L2Device.list().cameras.first { !$0.needsMediaController }?.path
    }
}
