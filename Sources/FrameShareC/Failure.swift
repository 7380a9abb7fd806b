internal import CLinuxMedia
internal import FrameShare
internal import FrameShareCHeader

/// Why a call failed: the number that it returns, and the words that `frameshare_last_error` gives.
struct Failure: Error {
    let code: Int32
    let text: String

    init(_ code: Int, _ text: String) {
        self.code = Int32(code)
        self.text = text
    }

    init(_ error: ChannelError) {
        let code = Self.code(of: error)
        self.init(code, Self.isSignal(error) ? Self.signalText : error.description)
    }
    init(_ error: ImageLayoutError) { self.init(FRAMESHARE_ERROR_LAYOUT, error.description) }

    init(_ error: WorkError) {
        let code =
            switch error {
            case .noWorker: FRAMESHARE_ERROR_NO_WORKER
            case .busy: FRAMESHARE_ERROR_BUSY
            case .withdrawn: FRAMESHARE_ERROR_WITHDRAWN
            case .failed: FRAMESHARE_ERROR_WORKER_FAILED
            case .workerLost: FRAMESHARE_ERROR_WORKER_LOST
            case .deadlinePassed: FRAMESHARE_ERROR_DEADLINE
            case .cancelled: FRAMESHARE_ERROR_CANCELLED
            case .passedOver: FRAMESHARE_ERROR_PASSED_OVER
            case .malformed: FRAMESHARE_ERROR_PROTOCOL
            case .channel(let error): Self.code(of: error)
            }
        if case .channel(let error) = error, Self.isSignal(error) {
            self.init(code, Self.signalText)
        } else {
            self.init(code, error.description)
        }
    }

    init(_ error: CopyError) {
        let code =
            switch error {
            case .layout, .otherStreams: FRAMESHARE_ERROR_LAYOUT
            case .crop, .capacity: FRAMESHARE_ERROR_INVALID_ARGUMENT
            case .cropOfUnknownStream: FRAMESHARE_ERROR_NO_SUCH_STREAM
            case .notReadable: FRAMESHARE_ERROR_MEMORY
            case .channel(let error): Self.code(of: error)
            }
        self.init(code, error.description)
    }

    /// Whether a wait is over because of a signal: its deadline counts as passed then.
    static func isSignal(_ error: ChannelError) -> Bool {
        (error.isTimeout || error == .cancelled) && fs_signal_came() != 0
    }
    private static let signalText = "a signal has ended the wait"

    static let invalidHandle = Failure(
        FRAMESHARE_ERROR_INVALID_HANDLE,
        "this is NULL, or no handle that is in use (was it closed or released?)"
    )
    static let forked = Failure(
        FRAMESHARE_ERROR_FORKED,
        "this process was forked after FrameShare had been used; fork first, or start a program anew"
            + " (Python: multiprocessing's 'spawn')"
    )
    static let tooManyHandles = Failure(
        FRAMESHARE_ERROR_INVALID_ARGUMENT,
        "a million handles of this kind are in use; release those that are done with"
    )

    static func invalid(_ text: String) -> Failure { Failure(FRAMESHARE_ERROR_INVALID_ARGUMENT, text) }
    static func null(_ parameter: String) -> Failure { invalid("'\(parameter)' is NULL") }

    private static func code(of error: ChannelError) -> Int {
        switch error {
        case .badChannelName, .badStreamName, .badMetadataCapacity, .badSubscriberCount, .badRate, .unknownGroup,
            .badGroupName,
            .replyTooLarge, .badCopies, .badCopyFloor:
            FRAMESHARE_ERROR_INVALID_ARGUMENT
        case .noDirectory, .directory, .pathTooLong: FRAMESHARE_ERROR_DIRECTORY
        case .channelInUse: FRAMESHARE_ERROR_CHANNEL_IN_USE
        case .noStreams, .tooManyStreams, .duplicateStream, .layout, .badSlotCount, .poolShape:
            FRAMESHARE_ERROR_LAYOUT
        case .memory(.outOfDescriptors): FRAMESHARE_ERROR_OUT_OF_DESCRIPTORS
        case .memory, .unreadableForCopies: FRAMESHARE_ERROR_MEMORY
        case .metadataTooLarge, .badMetadata: FRAMESHARE_ERROR_METADATA
        case .slotNotAtSource: FRAMESHARE_ERROR_SLOT
        case .reservationsDoNotFit, .refused, .tooManyGroups, .resultsInUse, .controlsRefused: FRAMESHARE_ERROR_REFUSED
        case .noSuchChannel: FRAMESHARE_ERROR_NO_SUCH_CHANNEL
        case .notAllowed: FRAMESHARE_ERROR_NOT_ALLOWED
        case .versionMismatch: FRAMESHARE_ERROR_VERSION
        case .unknownStream: FRAMESHARE_ERROR_NO_SUCH_STREAM
        case .outOfDescriptors: FRAMESHARE_ERROR_OUT_OF_DESCRIPTORS
        case .timedOut where isSignal(error): FRAMESHARE_ERROR_INTERRUPTED
        case .timedOut, .handshakeTimeout: FRAMESHARE_ERROR_TIMED_OUT
        case .cancelled: FRAMESHARE_ERROR_INTERRUPTED
        case .closed: FRAMESHARE_ERROR_CLOSED
        case .publisherLost: FRAMESHARE_ERROR_PUBLISHER_LOST
        case .sourceFailed: FRAMESHARE_ERROR_SOURCE_FAILED
        case .disconnected: FRAMESHARE_ERROR_DISCONNECTED
        case .protocolViolation: FRAMESHARE_ERROR_PROTOCOL
        case .notPollable: FRAMESHARE_ERROR_NOT_POLLABLE
        case .system: FRAMESHARE_ERROR_SYSTEM
        }
    }

    /// A wish that can't be fulfilled.
    init(_ error: WishError) {
        switch error {
        case .channel(let error): self.init(error)
        case .size, .format, .rate, .rotation, .crop, .stream: self.init(FRAMESHARE_ERROR_INVALID_ARGUMENT, "\(error)")
        case .tooMany, .noConverter, .notStarted: self.init(FRAMESHARE_ERROR_REFUSED, "\(error)")
        }
    }

    /// Makes it the thread's last error.
    func tell() -> Int32 {
        fs_c_set_last_error(text)
        if code == Int32(FRAMESHARE_ERROR_INTERRUPTED) { fs_forget_signal() }
        return code
    }
}

let ok = Int32(FRAMESHARE_OK)

/// What every function of the library does around its work.
func answer(_ body: () throws(Failure) -> Int32) -> Int32 {
    guard fs_c_is_forked() == 0 else { return Failure.forked.tell() }
    do throws(Failure) {
        return try body()
    } catch {
        return error.tell()
    }
}

/// Runs `body` and translates its error.
func translating<T: ~Copyable>(_ body: () throws(ChannelError) -> T) throws(Failure) -> T {
    do throws(ChannelError) {
        return try body()
    } catch {
        throw Failure(error)
    }
}

/// As ``translating(_:)``, for what groups are asked.
func translatingWork<T: ~Copyable>(_ body: () throws(WorkError) -> T) throws(Failure) -> T {
    do throws(WorkError) {
        return try body()
    } catch {
        throw Failure(error)
    }
}

/// As ``translating(_:)``, for copy stages.
func translatingCopies<T>(_ body: () throws(CopyError) -> T) throws(Failure) -> T {
    do throws(CopyError) {
        return try body()
    } catch {
        throw Failure(error)
    }
}

/// As ``translating(_:)``, for layouts.
func translatingLayout<T>(_ body: () throws(ImageLayoutError) -> T) throws(Failure) -> T {
    do throws(ImageLayoutError) {
        return try body()
    } catch {
        throw Failure(error)
    }
}

@c @implementation
public func frameshare_result_name(_ result: Int32) -> UnsafePointer<CChar>! {
    let name: StaticString =
        switch Int(result) {
        case FRAMESHARE_OK: "FRAMESHARE_OK"
        case FRAMESHARE_ENDED: "FRAMESHARE_ENDED"
        case FRAMESHARE_NO_FRAME: "FRAMESHARE_NO_FRAME"
        case FRAMESHARE_NOT_FOUND: "FRAMESHARE_NOT_FOUND"
        case FRAMESHARE_ERROR_INVALID_ARGUMENT: "FRAMESHARE_ERROR_INVALID_ARGUMENT"
        case FRAMESHARE_ERROR_INVALID_HANDLE: "FRAMESHARE_ERROR_INVALID_HANDLE"
        case FRAMESHARE_ERROR_TOO_SMALL: "FRAMESHARE_ERROR_TOO_SMALL"
        case FRAMESHARE_ERROR_FORKED: "FRAMESHARE_ERROR_FORKED"
        case FRAMESHARE_ERROR_DIRECTORY: "FRAMESHARE_ERROR_DIRECTORY"
        case FRAMESHARE_ERROR_CHANNEL_IN_USE: "FRAMESHARE_ERROR_CHANNEL_IN_USE"
        case FRAMESHARE_ERROR_LAYOUT: "FRAMESHARE_ERROR_LAYOUT"
        case FRAMESHARE_ERROR_MEMORY: "FRAMESHARE_ERROR_MEMORY"
        case FRAMESHARE_ERROR_METADATA: "FRAMESHARE_ERROR_METADATA"
        case FRAMESHARE_ERROR_SLOT: "FRAMESHARE_ERROR_SLOT"
        case FRAMESHARE_ERROR_NO_SUCH_CHANNEL: "FRAMESHARE_ERROR_NO_SUCH_CHANNEL"
        case FRAMESHARE_ERROR_NOT_ALLOWED: "FRAMESHARE_ERROR_NOT_ALLOWED"
        case FRAMESHARE_ERROR_REFUSED: "FRAMESHARE_ERROR_REFUSED"
        case FRAMESHARE_ERROR_VERSION: "FRAMESHARE_ERROR_VERSION"
        case FRAMESHARE_ERROR_NO_SUCH_STREAM: "FRAMESHARE_ERROR_NO_SUCH_STREAM"
        case FRAMESHARE_ERROR_OUT_OF_DESCRIPTORS: "FRAMESHARE_ERROR_OUT_OF_DESCRIPTORS"
        case FRAMESHARE_ERROR_TIMED_OUT: "FRAMESHARE_ERROR_TIMED_OUT"
        case FRAMESHARE_ERROR_INTERRUPTED: "FRAMESHARE_ERROR_INTERRUPTED"
        case FRAMESHARE_ERROR_CLOSED: "FRAMESHARE_ERROR_CLOSED"
        case FRAMESHARE_ERROR_PUBLISHER_LOST: "FRAMESHARE_ERROR_PUBLISHER_LOST"
        case FRAMESHARE_ERROR_SOURCE_FAILED: "FRAMESHARE_ERROR_SOURCE_FAILED"
        case FRAMESHARE_ERROR_DISCONNECTED: "FRAMESHARE_ERROR_DISCONNECTED"
        case FRAMESHARE_ERROR_PROTOCOL: "FRAMESHARE_ERROR_PROTOCOL"
        case FRAMESHARE_ERROR_NOT_POLLABLE: "FRAMESHARE_ERROR_NOT_POLLABLE"
        case FRAMESHARE_ERROR_SYSTEM: "FRAMESHARE_ERROR_SYSTEM"
        case FRAMESHARE_ERROR_TYPE: "FRAMESHARE_ERROR_TYPE"
        case FRAMESHARE_ERROR_NO_WORKER: "FRAMESHARE_ERROR_NO_WORKER"
        case FRAMESHARE_ERROR_BUSY: "FRAMESHARE_ERROR_BUSY"
        case FRAMESHARE_ERROR_WITHDRAWN: "FRAMESHARE_ERROR_WITHDRAWN"
        case FRAMESHARE_ERROR_WORKER_FAILED: "FRAMESHARE_ERROR_WORKER_FAILED"
        case FRAMESHARE_ERROR_WORKER_LOST: "FRAMESHARE_ERROR_WORKER_LOST"
        case FRAMESHARE_ERROR_DEADLINE: "FRAMESHARE_ERROR_DEADLINE"
        case FRAMESHARE_ERROR_CANCELLED: "FRAMESHARE_ERROR_CANCELLED"
        case FRAMESHARE_ERROR_PASSED_OVER: "FRAMESHARE_ERROR_PASSED_OVER"
        default: "unknown"
        }
    return UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func frameshare_version() -> UnsafePointer<CChar>! { fs_c_version() }
