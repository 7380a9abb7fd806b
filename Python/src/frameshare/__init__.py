"""One camera, many programs, the same pixels.

A publisher process owns a camera and its buffers; subscriber processes see each frame in the very memory that the camera
wrote, as numpy arrays that nothing was copied into.

>>> from frameshare import Subscriber
>>> for frame in Subscriber("camera0"):
...     print(frame.number, frame["main"].array.mean(), frame.metadata)
"""

from ._library import lib as _lib
from ._library import text as _text
from .errors import (
    ChannelInUse,
    Disconnected,
    Forked,
    FrameShareError,
    InvalidArgument,
    LayoutError,
    NoSuchChannel,
    NoSuchStream,
    NotAllowed,
    PublisherLost,
    Refused,
    Released,
    SourceFailed,
    TimedOut,
)
from .formats import Format, PlaneFormat
from .frames import Frame, Loss
from .images import Image, PlaneLayout
from .metadata import Rectangle, Size
from .publisher import Publisher, Slot
from .statistics import ChannelStatistics, Monitor, SubscriberStatistics, SubscriberStatus, channels
from .streams import Stream
from .subscriber import Subscriber

__version__ = _text(_lib.frameshare_version())

__all__ = [
    "ChannelInUse",
    "ChannelStatistics",
    "Disconnected",
    "Forked",
    "Format",
    "Frame",
    "FrameShareError",
    "Image",
    "InvalidArgument",
    "LayoutError",
    "Loss",
    "Monitor",
    "NoSuchChannel",
    "NoSuchStream",
    "NotAllowed",
    "PlaneFormat",
    "PlaneLayout",
    "Publisher",
    "PublisherLost",
    "Rectangle",
    "Refused",
    "Released",
    "Size",
    "Slot",
    "SourceFailed",
    "Stream",
    "Subscriber",
    "SubscriberStatistics",
    "SubscriberStatus",
    "TimedOut",
    "channels",
]
