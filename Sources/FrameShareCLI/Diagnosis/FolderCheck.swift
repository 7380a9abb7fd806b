import FrameCommand
import FrameShare
import Glibc

extension DoctorCheck {
    /// The place for channels.
    static func channelFolder() -> DoctorCheck {
        let remedy = "set FRAMESHARE_DIR to a folder that you may write to, such as $HOME/.frameshare"
        let directory: ChannelDirectory
        do {
            directory = try ChannelDirectory.standard()
        } catch {
            return DoctorCheck(
                name: "channel folder",
                state: .missing,
                detail: ["\(error)"],
                remedy: remedy,
                isVital: true
            )
        }
        let path = directory.path
        if access(PathText.cString(path), W_OK | X_OK) == 0 {
            let count = (try? directory.channels().count) ?? 0
            return DoctorCheck(
                name: "channel folder",
                state: .ok,
                detail: ["\(path): writable, \(Quantities.counted(count, "channel")) there"],
                isVital: true
            )
        }
        if errno == ENOENT {
            let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            if access(PathText.cString(parent), W_OK | X_OK) == 0 {
                return DoctorCheck(
                    name: "channel folder",
                    state: .ok,
                    detail: ["\(path): will be made when it is needed"],
                    isVital: true
                )
            }
        }
        return DoctorCheck(
            name: "channel folder",
            state: .missing,
            detail: ["\(path): \(String(cString: strerror(errno)))"],
            remedy: remedy,
            isVital: true
        )
    }
}
