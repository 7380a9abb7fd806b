internal import FrameConversion
package import FrameShare
internal import FrameSinks

/// Why a command ended in failure: what `frameshare` says on standard error, and the exit code.
package struct CommandFailure: Error {
    /// What happened, and what to do about it: `what. what to do`.
    package var message: String
    package var code: Code

    /// The exit codes, documented in `frameshare --help`.
    package enum Code: Int32 {
        case failed = 1
        /// As of sysexits.h, which the argument parser follows too.
        case usage = 64
        /// The channel is not there, or ended otherwise than in order.
        case channelLost = 3
        /// As a shell reports a program that Ctrl-C ended.
        case interrupted = 130
    }

    package init(_ message: String, code: Code = .failed) {
        self.message = message
        self.code = code
    }

    package init(_ error: ChannelError) {
        switch error {
        case .noSuchChannel, .publisherLost, .sourceFailed, .disconnected, .handshakeTimeout:
            self.init("\(error)", code: .channelLost)
        case .badChannelName, .badStreamName, .badGroupName, .unknownStream, .duplicateStream:
            self.init("\(error)", code: .usage)
        default:
            self.init("\(error)")
        }
    }

    /// Any error that came up to the top.
    package init(describing error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as ChannelError: self.init(error)
        case CopyError.channel(let error), VideoError.channel(let error): self.init(error)
        case WishError.channel(let error), OwnerError.channel(let error): self.init(error)
        case OwnerError.badSource: self.init("\(error)", code: .usage)
        case let error as WishError: self.init("\(error)", code: error.isUsage ? .usage : .failed)
        case ConversionError.channel(let error): self.init(error)
        case ConversionError.wish(let error): self.init("\(error)", code: .usage)
        case let error as ConversionError: self.init("\(error)")
        case let error as VideoError where error.isUsage: self.init("\(error)", code: .usage)
        case let error as CopyError: self.init("\(error)", code: .usage)
        default: self.init("\(error)")
        }
    }
}

extension WishError {
    /// Whether another command line would do.
    fileprivate var isUsage: Bool {
        switch self {
        case .size, .format, .rate, .rotation, .crop, .stream: true
        case .tooMany, .noConverter, .notStarted, .channel: false
        }
    }
}

extension VideoError {
    /// Whether another command line would do.
    fileprivate var isUsage: Bool {
        switch self {
        case .badOption, .unknownContainer, .unknownAddress, .containerCannotHold, .streamCannotCarry,
            .compressedAlready:
            true
        default: false
        }
    }
}
