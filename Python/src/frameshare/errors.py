"""What can go wrong. Each message says what failed and what to do about it."""

from __future__ import annotations


class FrameShareError(Exception):
    """Anything that the library reports. ``code`` is its number in ``frameshare.h``."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class InvalidArgument(FrameShareError, ValueError):
    """A value that is not possible, or something that was closed or released."""


class Released(FrameShareError, ValueError):
    """A frame, image or slot that was given back, or a subscriber or publisher that was closed."""


class Forked(FrameShareError, RuntimeError):
    """This process was forked after FrameShare had been used. Use ``multiprocessing.get_context("spawn")``."""


class NoSuchChannel(FrameShareError, LookupError):
    """Nobody publishes such a channel."""


class NoSuchStream(FrameShareError, KeyError):
    """The channel has no such stream, or it was not subscribed to."""

    def __str__(self) -> str:
        return str(self.args[0])


class NotAllowed(FrameShareError, PermissionError):
    """The channel does not let this user in."""


class Refused(FrameShareError):
    """The publisher refused, such as for want of slots to reserve."""


class ChannelInUse(FrameShareError):
    """The channel is published already."""


class TimedOut(FrameShareError, TimeoutError):
    """The time has passed."""


class PublisherLost(FrameShareError, ConnectionError):
    """The publisher has gone without a goodbye."""


class SourceFailed(FrameShareError):
    """The source has failed, as its publisher says."""


class Disconnected(FrameShareError, ConnectionError):
    """The publisher has ended this subscription, and says why."""


class RecordingFailed(FrameShareError):
    """A recording has failed. The text is the command's own; ``code`` is its exit code, or below 0 the signal that ended it."""


class NoCommand(FrameShareError, FileNotFoundError):
    """The command ``frameshare`` is not to be found."""

    def __str__(self) -> str:
        return str(self.args[0])


class MissingPackage(FrameShareError, ImportError):
    """Another package is needed for this, and is not installed. The text says how to install it."""


class LayoutError(FrameShareError, ValueError):
    """An image layout, a format, or a shape is not possible."""


class WorkError(FrameShareError):
    """A frame that a group was asked about got no answer."""


class NoWorker(WorkError):
    """The group has no member."""


class Busy(WorkError):
    """No member of the group had room for the frame."""


class Withdrawn(WorkError):
    """The frame was taken back before a worker took it: a newer one took its place, or the pool ran short."""


class WorkerFailed(WorkError):
    """The worker said that it could not, and why."""


class WorkerLost(WorkError, ConnectionError):
    """The worker died or left, or was cut off, with the frame in its hands."""


class DeadlinePassed(WorkError, TimeoutError):
    """No answer came before the request's deadline."""


class Cancelled(WorkError):
    """The request was given up."""


class PassedOver(WorkError):
    """Answers to later frames filled the window of results in order."""
