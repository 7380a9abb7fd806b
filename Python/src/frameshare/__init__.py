"""One camera, many programs, the same pixels.

A publisher process owns a camera and its buffers; subscriber processes see each frame in the very memory that the camera
wrote, as numpy arrays that nothing was copied into.

>>> from frameshare import Subscriber
>>> for frame in Subscriber("camera0"):
...     print(frame.number, frame["main"].array.mean(), frame.metadata)
"""

from ._native import version as __version__
from .controls import Control, Setting, Settings
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
    NoSuchChannel,
    NoSuchStream,
    NotAllowed,
    NoWorker,
    PassedOver,
    PublisherLost,
    Refused,
    Released,
    SourceFailed,
    TimedOut,
    Withdrawn,
    WorkerFailed,
    WorkerLost,
    WorkError,
)
from .formats import Format, PlaneFormat
from .frames import Frame, FrameFlags, Loss
from .groups import Answer, Pending, Request, Result, Results
from .images import Image, PlaneLayout
from .metadata import Rectangle, Size
from .publisher import Publisher, Slot
from .statistics import ChannelStatistics, GroupStatus, Monitor, SubscriberStatistics, SubscriberStatus, channels
from .streams import Stream
from .subscriber import Subscriber
from .worker import Worker

__all__ = [
    "Answer",
    "Busy",
    "Cancelled",
    "ChannelInUse",
    "ChannelStatistics",
    "Control",
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
    "Monitor",
    "NoSuchChannel",
    "NoSuchStream",
    "NoWorker",
    "NotAllowed",
    "PassedOver",
    "Pending",
    "PlaneFormat",
    "PlaneLayout",
    "Publisher",
    "PublisherLost",
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
]
