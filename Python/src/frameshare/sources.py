"""Reading a source, whoever publishes it."""

from __future__ import annotations

import os
import time
from typing import Any

from . import _native, errors
from .subscriber import Subscriber


def open(source: str | os.PathLike[str], *, timeout: float = 20.0, **options: Any) -> Subscriber:
    """Reads a camera's device (``/dev/video0``), ``libcamera``, ``libcamera:ID`` or a file, whoever publishes it.

    >>> for frame in frameshare.open("/dev/video0"):
    ...     detect(frame["main"].array)

    If a channel publishes the source, this reads that channel. Otherwise it starts a hidden process, the owner, which publishes the
    source while somebody reads, and ends after its last reader. All programs share one owner. ``timeout`` is how many seconds that
    may take. ``options`` are those of ``Subscriber``.
    """
    until = time.monotonic() + timeout
    while True:
        channel = _native.source_channel(os.fspath(source), options.get("directory"), max(0.001, until - time.monotonic()))
        try:
            return Subscriber(channel, **options)
        except (errors.NoSuchChannel, errors.PublisherLost):
            # Its owner has ended in this moment.
            if time.monotonic() >= until:
                raise
