import Glibc
import PeerTesting
import Testing

extension FaultTests {
    /// Each test goes through a publisher's or a subscriber's life some hundred times, each time with another system call
    /// made to fail by `Tests/FaultInjector`. FRAMESHARE_ALL_FAULTS=1 in the environment: with each call there is, not a
    /// choice of those that are made often.
    @Suite(
        "Failing system calls",
        .enabled(if: !Exhaustion.sanitized, "the sanitizers stand in for the same functions"),
        .timeLimit(.minutes(30))
    )
    struct FailingCalls {
        static let all = getenv("FRAMESHARE_ALL_FAULTS") != nil

        /// Runs a sweep, and says what was wrong in it; returns how often each function is called in one life.
        private func sweep(_ side: String, in folder: PeerFolder) async throws -> [String: Int] {
            let command = PeerProcess.besideTests("frameshare-test-peer")
            let peer = try PeerProcess(
                [command, "faults", folder.path, "camera", "side=\(side)"] + (Self.all ? ["all"] : [])
            )
            var calls: [String: Int] = [:]
            var latest = ""
            while let line = try await peer.nextLine() {
                latest = line
                let words = line.split(separator: " ").map(String.init)
                switch words.first {
                case "calls": calls[words[1]] = Int(words[2])
                case "trying", "outcome": break
                case "swept":
                    let swept = Report(line)
                    print(
                        "\(side): \(try swept["tried"]) calls failed: \(try swept["carriedOn"]) borne,",
                        "\(try swept["threw"]) thrown as errors"
                    )
                    #expect(try swept["bad"] == 0 && swept["tried"] > 100)
                default: Issue.record("\(line)")
                }
            }
            #expect(latest.hasPrefix("swept"), "it ended at '\(latest)'")
            #expect(try await peer.exit() == 0)
            return calls
        }

        @Test(
            "A publisher bears any call that fails, or ends with an error and nothing left; its subscriber finds it again"
        )
        func publisher() async throws {
            let folder = try PeerFolder()
            let first = try await folder.publisher("slots=4")
            let subscriber = try await folder.subscriber("policy=queue:2", "reconnect")
            let worker = try await folder.subscriber("policy=queue:2", "reconnect", "group=answerers")
            try await first.ask("close", "closed")
            #expect(try await first.exit() == 0)
            let calls = try await sweep("publish", in: folder)
            for call in ["memfd_create", "sendmsg", "accept4", "epoll_wait", "futex_waitv", "flock", "pthread_create"] {
                #expect(calls[call, default: 0] > 0, "\(call) is not among them")
            }
            let seen = try await subscriber.report()
            try #expect(seen["bad"] == 0 && seen["connections"] > 100, "\(seen)")
            let answered = try await worker.report()
            try #expect(answered["bad"] == 0 && answered["connections"] > 100, "\(answered)")
            #expect(folder.files == [])
        }

        @Test("A subscriber bears any call that fails, or throws an error; its publisher and the others notice nothing")
        func subscriber() async throws {
            let folder = try PeerFolder()
            // It waits for the good one: whatever this machine does besides, no frame is lost unless by a fault.
            let publisher = try await folder.publisher(
                "blocking",
                "rate=500",
                "slots=12",
                "stall=1000000",
                "reconfigure-every=20"
            )
            let good = try await folder.subscriber("policy=every-frame", "budget=6")
            let calls = try await sweep("subscribe", in: folder)
            for call in [
                "connect", "recvmsg", "mmap", "fcntl", "fstat", "futex_wait", "inotify_add_watch", "lstat", "poll",
                "pwrite",
            ] {
                #expect(calls[call, default: 0] > 0, "\(call) is not among them")
            }
            let last = try await publisher.ask("pause", "paused")["last"]
            while try await good.report()["last"] < last { try await Task.sleep(for: .milliseconds(5)) }
            let seen = try await good.report()
            try #expect(seen["gaps"] == 0 && seen["bad"] == 0, "\(seen)")
            while try await publisher.report()["retired"] > 0 { try await Task.sleep(for: .milliseconds(5)) }
            let after = try await publisher.report()
            try #expect(after["subscribers"] == 1 && after["free"] == 12 && after["lostNoFreeSlot"] == 0, "\(after)")
            // 3 standard ones, epoll, 5 eventfds, attention, lock, socket, the spare one, page, frame table; a connection and
            // its lane and wake page; the slots.
            try #expect(after["fds"] == 19 && after["maps"] == 6, "\(after)")
        }

        /// What the core's objects import of the C library and no test makes fail, and why that is right.
        static let cannotFail: [String: String] = [
            "memcpy memmove memset memcmp malloc free strlen": "no system call, or memory whose lack ends the process",
            "__errno_location __stack_chk_fail __tls_get_addr __cmsg_nxthdr program_invocation_short_name fs_interruption":
                "no call",
            "ceil floor rint round trunc": "arithmetic",
            "getenv getpid getpagesize geteuid pthread_self pthread_sigmask sigfillset pthread_detach":
                "can't fail as they are called",
            "clock_gettime": "can't fail for the clocks that are asked",
            "pthread_atfork": "a failure of its own leaves the readers' timer",
            "prctl": "a thread's name: its failure is not looked at",
            "timerfd_settime": "can't fail for a timer and a time that are right",
            "munmap closedir inotify_rm_watch": "give back; what could be done about a failure?",
            "write": "to eventfds, which refuse only when they are full, and so readable",
            "getgrnam_r getgrgid_r": "read files by the library's own calls; a name that is not found is tested",
            "syscall": "by the names of the calls that it makes",
            "environ getauxval getcwd dladdr readlink unsetenv":
                "where a command is and what it is given: nothing found is an answer like any other",
            "getsockname": "of a passed socket; a failure is answered as a wrong socket is",
            "sigemptyset strdup strerror strncmp": "memory and words",
            "waitpid kill": "of a child, which has ended or is to",
            """
            posix_spawn posix_spawnp posix_spawn_file_actions_addclosefrom_np posix_spawn_file_actions_adddup2 posix_spawn_file_actions_addopen \
            posix_spawn_file_actions_destroy posix_spawn_file_actions_init posix_spawnattr_destroy posix_spawnattr_init \
            posix_spawnattr_setflags posix_spawnattr_setsigdefault posix_spawnattr_setsigmask
            """: "start an owner: no call of a publisher's or a subscriber's life, and a failure is an error",
        ]

        static let nm: String? = ["/usr/bin/nm", "/usr/local/bin/nm"].first { access($0, X_OK) == 0 }

        @Test(
            "There is no call of the core that is neither made to fail here nor known not to fail",
            .enabled(if: nm != nil, "nm is not installed (Debian package binutils)")
        )
        func everyCall() async throws {
            let command = PeerProcess.besideTests("frameshare-test-peer")
            let listing = try PeerProcess([command, "faults", "/", "none", "side=none"])
            var known = Set(Self.cannotFail.keys.flatMap { $0.split(separator: " ").map(String.init) })
            while let line = try await listing.nextLine() {
                if line.hasPrefix("tries ") { known.insert(String(line.dropFirst(6))) }
            }
            var seen = 0
            for module in ["LeaseProtocol", "FrameMemory", "FrameShare"] {
                let folder = PeerProcess.besideTests("\(module).build")
                let objects = try #require(opendir(folder), "\(folder)")
                defer { closedir(objects) }
                while let entry = readdir(objects) {
                    let name = withUnsafePointer(to: &entry.pointee.d_name) {
                        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                    }
                    guard name.hasSuffix(".o") else { continue }
                    let symbols = try PeerProcess([try #require(Self.nm), "-u", "\(folder)/\(name)"])
                    while let line = try await symbols.nextLine() {
                        guard let call = line.split(separator: " ").last.map(String.init) else { continue }
                        // Swift's own.
                        if ["$s", "swift_", "_swift", "__swift", "symbolic"].contains(where: call.hasPrefix) {
                            continue
                        }
                        seen += 1
                        #expect(known.contains(call), "\(module) calls \(call) (\(name))")
                    }
                }
            }
            #expect(seen > 50)
        }
    }
}
