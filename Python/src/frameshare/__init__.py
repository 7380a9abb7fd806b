"""One camera, many programs, the same pixels.

A publisher process owns a camera and its buffers; subscriber processes see each frame in the very memory that the camera
wrote, as numpy arrays that nothing was copied into.

>>> from frameshare import Subscriber
>>> for frame in Subscriber("camera0"):
...     print(frame.number, frame["main"].array.mean(), frame.metadata)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._native import version as __version__
from .errors import (
    Busy,
    Cancelled,
    ChannelInUse,
    DeadlinePassed,
    Disconnected,
    Forked,
    FrameShareError,
    InvalidArgument,
    LayoutError,
    MissingPackage,
    NoCommand,
    NoSuchChannel,
    NoSuchStream,
    NotAllowed,
    NoWorker,
    PassedOver,
    PublisherLost,
    RecordingFailed,
    Refused,
    Released,
    SourceFailed,
    TimedOut,
    Withdrawn,
    WorkerFailed,
    WorkerLost,
    WorkError,
)

if TYPE_CHECKING:
    from .controls import Control, Setting, Settings
    from .copying import CopyStage, CopyStatistics, relay
    from .formats import Format, PlaneFormat
    from .frames import Frame, FrameFlags, Loss
    from .groups import Answer, Pending, Request, Result, Results
    from .images import Image, PlaneLayout
    from .metadata import Rectangle, Size
    from .overlay import Overlay
    from .publisher import Publisher, Slot
    from .recording import RecordedFile, Recording, RecordingResult, record, record_async, trigger
    from .sources import open as open  # not in __all__: a star import would hide Python's own
    from .statistics import ChannelStatistics, GroupStatus, Monitor, SubscriberStatistics, SubscriberStatus
    from .streams import Stream
    from .subscriber import Subscriber
    from .watching import Channel, ChannelChange, ChannelWatch, channels, watch_channels
    from .worker import Worker

# Loaded when it is first asked for: a program that reads frames needs no publisher.
_PLACES = {
    name: module
    for module, names in {
        "controls": "Control Setting Settings",
        "copying": "CopyStage CopyStatistics relay",
        "formats": "Format PlaneFormat",
        "frames": "Frame FrameFlags Loss",
        "groups": "Answer Pending Request Result Results",
        "images": "Image PlaneLayout",
        "metadata": "Rectangle Size",
        "overlay": "Overlay",
        "publisher": "Publisher Slot",
        "recording": "RecordedFile Recording RecordingResult record record_async trigger",
        "sources": "open",
        "statistics": "ChannelStatistics GroupStatus Monitor SubscriberStatistics SubscriberStatus",
        "streams": "Stream",
        "subscriber": "Subscriber",
        "watching": "Channel ChannelChange ChannelWatch channels watch_channels",
        "worker": "Worker",
    }.items()
    for name in names.split()
}
_MODULES = {*_PLACES.values(), "conversion", "errors", "metadata"}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Answer",
    "Busy",
    "Cancelled",
    "Channel",
    "ChannelChange",
    "ChannelInUse",
    "ChannelStatistics",
    "ChannelWatch",
    "Control",
    "CopyStage",
    "CopyStatistics",
    "DeadlinePassed",
    "Disconnected",
    "Forked",
    "Format",
    "Frame",
    "FrameFlags",
    "FrameShareError",
    "GroupStatus",
    "Image",
    "InvalidArgument",
    "LayoutError",
    "Loss",
    "MissingPackage",
    "Monitor",
    "NoCommand",
    "NoSuchChannel",
    "NoSuchStream",
    "NoWorker",
    "NotAllowed",
    "Overlay",
    "PassedOver",
    "Pending",
    "PlaneFormat",
    "PlaneLayout",
    "Publisher",
    "PublisherLost",
    "RecordedFile",
    "Recording",
    "RecordingFailed",
    "RecordingResult",
    "Rectangle",
    "Refused",
    "Released",
    "Request",
    "Result",
    "Results",
    "Setting",
    "Settings",
    "Size",
    "Slot",
    "SourceFailed",
    "Stream",
    "Subscriber",
    "SubscriberStatistics",
    "SubscriberStatus",
    "TimedOut",
    "Withdrawn",
    "WorkError",
    "Worker",
    "WorkerFailed",
    "WorkerLost",
    "channels",
    "record",
    "record_async",
    "relay",
    "trigger",
    "watch_channels",
]
