import CommandTesting
import Foundation
import Glibc
import Testing

/// Debian's nginx with its RTMP module, on a port of this machine.
final class MediaServer {
    let address: String
    private let folder: ChannelFolder
    private let home: URL
    private var run: CommandRun?

    init(in folder: ChannelFolder) throws {
        self.folder = folder
        home = folder.scratchFile()
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        let port = try freePort()
        address = "rtmp://127.0.0.1:\(port)/live/door"
        // As root it would change to another user, who may not write here.
        let user = geteuid() == 0 ? "user root;" : ""
        let configuration = """
            load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
            \(user) daemon off; worker_processes 1; pid \(home.path)/pid; error_log \(home.path)/error.log;
            events { worker_connections 64; }
            rtmp { access_log off; server { listen 127.0.0.1:\(port); application live { live on; } } }
            """
        try configuration.write(to: home.appendingPathComponent("conf"), atomically: true, encoding: .utf8)
    }

    deinit { stop() }

    func start() throws {
        // It lies where only root's PATH leads.
        let nginx = URL(fileURLWithPath: "/usr/sbin/nginx")
        try #require(access(nginx.path, X_OK) == 0, "Scripts/install-packages test installs it")
        let conf = home.appendingPathComponent("conf").path
        let run = try CommandRun(["-p", home.path, "-e", "\(home.path)/error.log", "-c", conf], of: nginx, in: folder)
        self.run = run
        let pid = home.appendingPathComponent("pid").path
        eventually { !run.isRunning || access(pid, F_OK) == 0 }
        try #require(run.isRunning, "\(run.errorsSoFar)")
    }

    func stop() {
        run?.send(SIGQUIT)
        run?.send(SIGTERM)
        _ = run?.wait()
        run = nil
    }

    /// Reads the stream back, and decodes some of its pictures. Returns what ffmpeg complained of.
    func watch(frames: Int) throws -> String {
        let ffmpeg = try #require(CommandRun.installed("ffmpeg"), "Scripts/install-packages test installs it")
        let run = try CommandRun(
            ["-v", "error", "-rw_timeout", "20000000", "-i", address, "-frames:v", "\(frames)", "-f", "null", "-"],
            of: ffmpeg,
            in: folder
        ).wait()
        return run.code == 0 ? run.errors : "code \(run.code): \(run.errors)"
    }
}
