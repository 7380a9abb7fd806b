package import Glibc
import Synchronization

/// A process of a test: one end of a socket is its standard input and output. It is killed with this object.
package final class PeerProcess: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var lines: [String] = []
        var status: Int32?
    }

    package let pid: pid_t
    private let socket: Int32
    private let state = Mutex(State())

    /// A program that lies beside the test bundle.
    package static func besideTests(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink("/proc/self/exe", &buffer, buffer.count - 1))
        let own = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/" + name
    }

    package init(_ command: [String], environment extra: [String] = []) throws {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw PeerFailure("no socket pair: errno \(errno)")
        }
        defer { close(ends[1]) }
        socket = ends[0]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A fresh mask and fresh handlers, whatever the test process has.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let entry = next.pointee {
            variables.append(strdup(entry))
            next += 1
        }
        variables += extra.map { strdup($0) } + [nil]
        defer { for variable in variables { free(variable) } }
        var child: pid_t = 0
        let result = posix_spawn(&child, command[0], &actions, &attributes, arguments, variables)
        guard result == 0 else {
            close(ends[0])
            throw PeerFailure("\(command[0]) can't be started: \(String(cString: strerror(result)))")
        }
        pid = child
    }

    deinit {
        if state.withLock({ $0.status }) == nil {
            kill(SIGKILL)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        }
        close(socket)
    }

    package func kill(_ signal: Int32) {
        state.withLock { if $0.status == nil { _ = Glibc.kill(pid, signal) } }
    }

    /// Tells it to do something.
    package func send(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// The next line it says; nil when it has ended. Polls: a test's task never blocks a thread.
    package func nextLine() async throws -> String? {
        while true {
            let (line, over) = state.withLock { state in
                var over = false
                if state.lines.isEmpty { over = !Self.read(socket, &state) }
                return (state.lines.isEmpty ? nil : state.lines.removeFirst(), over)
            }
            if let line { return line }
            if over { return nil }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Takes in what there is; false at the end.
    private static func read(_ socket: Int32, _ state: inout State) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return true }
            guard count > 0 else { return false }
            state.pending.append(contentsOf: buffer[..<count])
            while let end = state.pending.firstIndex(of: UInt8(ascii: "\n")) {
                state.lines.append(String(decoding: state.pending[..<end], as: UTF8.self))
                state.pending.removeSubrange(...end)
            }
            if !state.lines.isEmpty { return true }
        }
    }

    /// The next line that begins with a word; lines before it are passed over.
    @discardableResult
    package func line(_ word: String) async throws -> Report {
        var passed: [String] = []
        while let line = try await nextLine() {
            if line == word || line.hasPrefix(word + " ") { return Report(line) }
            passed.append(line)
        }
        throw PeerFailure("process \(pid) ended before it said '\(word)'; it said \(passed) (exit \(try await exit()))")
    }

    /// Sends a command and waits for the answer that begins with a word.
    @discardableResult
    package func ask(_ command: String, _ answer: String) async throws -> Report {
        send(command)
        return try await line(answer)
    }

    package func report() async throws -> Report { try await ask("report", "report") }

    /// Waits for its end: the exit code, or minus the signal.
    @discardableResult
    package func exit() async throws -> Int32 {
        while true {
            let status: Int32? = state.withLock { state in
                if let status = state.status { return status }
                var status: Int32 = 0
                guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
                state.status = status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f)
                return state.status
            }
            if let status { return status }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// The kernel's letter for what it does: `S` sleeps, `T` is stopped.
    package var kernelState: Character? {
        // After the name in parentheses.
        readFile("/proc/\(pid)/stat").split(separator: ")").last?.dropFirst().first
    }

    /// Waits until it is stopped, or sleeps.
    package func becomes(_ letter: Character) async throws {
        while kernelState != letter { try await Task.sleep(for: .milliseconds(2)) }
    }
}

/// A peer did something that the test can't go on from.
package struct PeerFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// A whole file of /proc, or nothing.
package func readFile(_ path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(file, &buffer, buffer.count)
        guard count > 0 else { break }
        text.append(contentsOf: buffer[..<count])
    }
    return String(decoding: text, as: UTF8.self)
}
