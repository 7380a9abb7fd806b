import FrameShare
import FrameSources
struct CameraSession {
    let command: Publish
    let device: String
    let stop: StopRequest
    func run() throws {}
}
