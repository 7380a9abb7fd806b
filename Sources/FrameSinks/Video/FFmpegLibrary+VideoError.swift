#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge

extension FFmpegLibrary {
    static func loaded() throws(VideoError) -> UnsafePointer<fs_ffmpeg> {
        do throws(FFmpegMissing) {
            return try functions()
        } catch {
            throw .notInstalled(error.reason)
        }
    }
}
#endif
