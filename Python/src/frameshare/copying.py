"""Copies of a channel in memory of their own, as another channel."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Generator, Mapping, Sequence, Union

from . import _native, errors
from ._arguments import encoded, mapping, names, nanoseconds, positive, seconds, text, whole
from ._readable import Readable
from .frames import Loss
from .metadata import Rectangle
from .publisher import publisher_options
from .streams import Stream, stream_of
from .subscriber import subscriber_options

#: A part of an image: x, y, width, height, in pixels from its upper left corner.
Crop = Union[Rectangle, tuple[int, int, int, int]]


@dataclass(frozen=True)
class CopyStatistics:
    """What a copy stage has done."""

    #: Frames copied and published.
    copied: int
    #: Frames passed over, as every nth or a rate was asked for.
    skipped: int
    #: Frames that came and had no free slot in the pool.
    no_room: int
    #: Frames that the channel's publisher took back while they were copied.
    revoked: int
    #: Frames that did not come to the stage.
    lost: Loss
    #: The bytes of images copied.
    bytes: int
    #: How long copying them took, in nanoseconds.
    copying_time: int


class CopyStage:
    """A channel with copies of another's frames. Made by ``frameshare.relay``, which says what it does.

    It copies on a thread of the library's own: Python's other threads don't delay it. ``await stage`` waits for its end. Leaving a
    ``with`` block closes it.
    """

    def __init__(self, handle: Any, source: str, channel: str) -> None:
        self._handle: Any = handle
        #: What is copied.
        self.source = source
        #: The channel of the copies.
        self.channel = channel
        #: The frames that the pool holds, the bytes of one, metadata included, and of all.
        self.slots: int
        self.bytes_per_frame: int
        self.bytes: int
        self.slots, self.bytes_per_frame, self.bytes, streams = _native.copy_stage_plan(handle)
        #: The streams of the copies.
        self.streams: list[Stream] = [stream_of(stream) for stream in streams]
        self._readable = Readable(clear=False)

    def _open(self) -> Any:
        if self._handle is None:
            raise errors.Released(f"the copy stage of '{self.source}' was closed")
        return self._handle

    @property
    def statistics(self) -> CopyStatistics:
        """What it has done so far."""
        now = _native.copy_stage_statistics(self._open())
        lost = Loss(now["lost_source"], now["lost_no_free_slot"], now["lost_policy"])
        return CopyStatistics(lost=lost, **{name: now[name] for name in CopyStatistics.__annotations__ if name != "lost"})

    def wait(self, timeout: float | None = None) -> None:
        """Waits until it has ended: with the channel that it copies, or by ``stop()``.

        Raises ``TimedOut`` when ``timeout`` seconds have passed; ``PublisherLost``, ``SourceFailed`` and the like when the channel
        did not end in order. The channel of the copies has ended the same way.
        """
        _native.copy_stage_wait(self._open(), timeout)

    def stop(self) -> None:
        """Asks it to end; ``wait()`` tells when it has. What readers of the copies have queued stays theirs."""
        _native.copy_stage_stop(self._open())

    def fileno(self) -> int:
        """For event loops: readable once it has ended."""
        return _native.copy_stage_poll_fd(self._open())

    def __await__(self) -> Generator[Any, None, None]:
        return self._awaited().__await__()

    async def _awaited(self) -> None:
        while True:
            try:
                return self.wait(0)
            except errors.TimedOut:
                await self._readable.wait(self.fileno())

    def close(self) -> None:
        """Stops it, and waits until it has ended. Twice does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._readable.end()
            handle.close()

    def __enter__(self) -> CopyStage:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<frameshare.CopyStage {self.channel} of {self.source}{'' if self._handle is not None else ', closed'}>"


def relay(
    channel: str,
    name: str | None = None,
    *,
    streams: Sequence[str] | None = None,
    crops: Mapping[str, Crop] | None = None,
    every: int = 1,
    max_rate: float | None = None,
    slots: int | None = None,
    bytes: int | None = None,
    hold: tuple[float, float] | None = None,
    policy: str = "queue:2",
    reserve: bool = False,
    reconnect: bool = False,
    mode: int = 0o600,
    group: str | None = None,
    allowed_users: Sequence[int] | None = None,
    memory: str = "memfd",
    directory: str | os.PathLike[str] | None = None,
) -> CopyStage:
    """Copies a channel's frames into a pool of their own, as another channel (``name``; None: CHANNEL-copy).

    >>> with frameshare.relay("camera0", slots=120) as copies:
    ...     slow_program(frameshare.Subscriber(copies.channel, policy="every-frame"))

    For readers that lag: they hold copies in ordinary memory, and the camera has all its buffers. Each frame is copied and given
    back at once. A copy has the number, time and metadata of its original. The stage never waits for its readers: when the pool is
    full, the newest frame is left out and counted.

    ``streams`` are those wanted (None: all). ``crops`` is the part wanted of a stream, by its name. ``every`` copies one frame in so
    many, ``max_rate`` at most so many a second. The pool holds ``slots`` frames (32), or as many as ``bytes`` bytes hold, or those of
    ``hold=(seconds, frames a second)``. ``policy``, ``reserve`` and ``reconnect`` are how frames are subscribed to, as ``Subscriber``
    has them; ``mode``, ``group``, ``allowed_users`` and ``memory`` how the copies are offered, as ``Publisher`` has them.

    Raises ``NoSuchChannel`` and what else ``Subscriber`` and ``Publisher`` raise; ``InvalidArgument`` for a crop that would cut
    through pixels that belong together.
    """
    text("channel", channel)
    options: dict[str, Any] = {"every": whole("every", every, 1)}
    if sum(given is not None for given in (slots, bytes, hold)) > 1:
        raise errors.InvalidArgument("give one of slots, bytes and hold")
    frames_per_second = 0.0
    if slots is not None:
        options["slots"] = whole("slots", slots, 2, 1024)
    if bytes is not None:
        options["bytes"] = whole("bytes", bytes, 1, 2**63 - 1)
    if hold is not None:
        try:
            time, rate = hold
        except (TypeError, ValueError):
            raise TypeError(f"hold must be a pair, of seconds and frames a second, not {hold!r}") from None
        options["hold"] = max(1, nanoseconds("hold", seconds("hold", time)))
        frames_per_second = positive("hold", rate, "frames a second")
    rate = 0.0 if max_rate is None else positive("max_rate", max_rate, "frames a second")
    subscribing = subscriber_options(policy=policy, reserve=reserve, reconnect=reconnect, name="relay", directory=directory)
    publishing = publisher_options(
        mode=mode, group=group, memory=memory, directory=directory, source_name=f"copy of {channel}"
    )
    name = f"{channel}-copy" if name is None else name
    handle = _native.copy_stage_open(
        channel,
        options,
        frames_per_second,
        rate,
        tuple(encoded(stream) for stream in names("streams", streams)),
        tuple((encoded(stream), *_crop(stream, crop)) for stream, crop in mapping("crops", crops or {}).items()),
        subscribing,
        publishing,
        None if allowed_users is None else tuple(allowed_users),
    )
    stage = CopyStage(handle, channel, name)
    _native.copy_stage_start(handle, name)
    return stage


def _crop(stream: str, crop: Crop) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = crop
    except (TypeError, ValueError):
        raise TypeError(f"the crop of '{stream}' must be (x, y, width, height), not {crop!r}") from None
    return whole("x", x), whole("y", y), whole("width", width, 1), whole("height", height, 1)
