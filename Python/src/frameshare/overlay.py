"""Channels that show another's frames with the answers of a group."""

from __future__ import annotations

import os
from typing import Any, Sequence

from . import _native, errors
from ._arguments import text, whole
from .groups import ask_options
from .publisher import Publisher, publisher_options
from .statistics import ChannelStatistics, channel_statistics


class Overlay:
    """A channel with the frames of a publisher, in the same memory, each with a group's answer among its metadata.

    >>> with frameshare.Overlay(publisher, "camera0-detections", "detectors"):
    ...     publish_frames()

    A subscriber of it has the pixels of the publisher's channel, not a copy of them. Beside the frame's own metadata it finds what
    the workers of the group have answered: values under their own keys, bytes under the group's name. A frame comes when its
    answer has come, and one whose answer failed without it. Frames keep their numbers, times and order.

    ``budget`` is the most slots of the publisher's pool that the overlay may pin (None: 8, or what a smaller pool has beside the
    source's need): a frame is pinned while the overlay waits for its
    answer, and while any of the overlay's subscribers holds it. ``window`` is how many later answers wait for a late one before its
    frame goes without. ``deadline``, ``attempts`` and ``cut_off`` are as ``Publisher.ask`` has them. ``mode``, ``access_group`` and
    ``allowed_users`` say who may connect; without any of them, who may connect to the publisher.

    The overlay reads the group's results, so that nothing else can (``Refused``). It ends with the publisher's channel, with
    ``close()``, or with its last reference. Frames that are held then are taken back (``frame.revoked``).
    """

    def __init__(
        self,
        publisher: Publisher,
        channel: str,
        group: str,
        *,
        budget: int | None = None,
        window: int = 4,
        deadline: float | None = 10.0,
        attempts: int = 1,
        cut_off: bool = False,
        mode: int | None = None,
        access_group: str | None = None,
        allowed_users: Sequence[int] | None = None,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(publisher, Publisher):
            raise TypeError(f"publisher must be a frameshare.Publisher, not {type(publisher).__name__}")
        #: The overlay's own channel.
        self.channel = channel
        own: dict[str, Any] | None = None
        if not (mode is None and access_group is None and allowed_users is None and directory is None):
            own = publisher_options(
                mode=0o600 if mode is None else mode,
                group=access_group,
                directory=directory,
                source_name=f"{publisher.channel} with {group}",
                # The frame's own, and the answer.
                metadata_capacity=131072,
            )
        self._handle: Any = _native.overlay_open(
            publisher,
            text("channel", channel),
            text("group", group),
            {"budget": 0 if budget is None else whole("budget", budget, 1), "window": whole("window", window, 1)},
            ask_options(deadline, attempts, cut_off),
            own,
            None if allowed_users is None else tuple(allowed_users),
        )

    @property
    def statistics(self) -> ChannelStatistics:
        """How the overlay's channel is doing."""
        if self._handle is None:
            raise errors.Released(f"the overlay '{self.channel}' was closed")
        statistics = channel_statistics(self._handle, _native.overlay_statistics)
        assert statistics is not None  # an ended one has its last figures
        return statistics

    def close(self) -> None:
        """Ends the overlay's channel. Twice does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def __enter__(self) -> Overlay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<frameshare.Overlay {self.channel}{'' if self._handle is not None else ', closed'}>"
