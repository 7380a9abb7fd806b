"""Reading a channel's frames."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from . import _native, errors
from ._arguments import bounded, encoded, frame_rate, names, nanoseconds, text, whole
from ._native import Frame
from ._readable import Readable

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterable

    from .statistics import SubscriberStatistics
    from .streams import Stream

#: How long, in seconds, a thread waits whose task may be cancelled.
_SLICE = 0.1
#: How long, in seconds, a wait without end is silent before it is asked whether the budget is used up.
_SILENCE = 1.0


class Subscriber(_native.Subscriber):
    """Reads a channel's frames in place.

    >>> with Subscriber("camera0") as camera:
    ...     for frame in camera:
    ...         detect(frame["main"].array)

    ``policy`` says what happens to frames that come faster than they are taken: "latest" (the newest alone), "queue:4"
    (up to four wait), or "every-frame" (nothing that waits is dropped: a file waits, while a camera goes on and the newest
    frame is lost). ``budget`` is the most slots that can be pinned, waiting and held together. The default is 2; with
    "queue:N" it is N + 1. ``reserve`` keeps them for this subscriber alone. ``reconnect`` connects again, for ever, when the
    channel ends. ``wait_for_channel`` is how many seconds the first connection may wait for a channel that is not there yet
    (None: as long as it takes). ``spin`` looks again and again for so many seconds before it sleeps.

    ``startup_frames`` asks for the frames of the source's start-up, too: those before exposure and white balance have settled
    (``FrameFlags.STARTUP``). ``source_trouble`` says why the source gives no frames, such as a camera that can't be started.

    ``group`` shares the work: each frame goes to one member of the group, which answers by ``frame.request``; see
    ``Worker``. A member has no ``fileno()``.

    ``rate`` asks for at most so many frames a second, evenly by their capture times: 10 of a camera of 30 gives each third.
    The frames between wake nobody, and are no losses (``statistics.passed_over``).

    ``size`` (width, height; None for one of them keeps the shape), ``format`` (such as "RGB888", "YUV420", "R8"), ``crop`` (x, y,
    width, height, in the original's pixels), ``rotate`` (90, 180 or 270, clockwise) and ``mirror`` say what is wanted of the
    pixels. Where a stream of the channel is that, it is read in place. Otherwise one converter makes it for all of this user's
    programs that want the same; ``channel`` is then the name that was asked for. ``frame.original_point()`` leads from a converted
    frame to its original.

    Any thread may call any method; threads that wait at once share the frames.

    A frame that is held, and one of which an array lives, counts against the budget. A subscriber that holds all of it gets
    no further frame: copy what is to be kept (``array.copy()``), or ask for a larger ``budget``.
    """

    def __init__(
        self,
        channel: str,
        *,
        streams: Iterable[str] | None = None,
        policy: str = "latest",
        budget: int | None = None,
        reserve: bool = False,
        reconnect: bool = False,
        name: str | None = None,
        directory: str | os.PathLike[str] | None = None,
        connect_timeout: float = 5.0,
        wait_for_channel: float | None = 0.0,
        spin: float = 0.0,
        group: str | None = None,
        startup_frames: bool = False,
        rate: float | None = None,
        size: tuple[int | None, int | None] | None = None,
        format: str | None = None,
        crop: tuple[int, int, int, int] | None = None,
        rotate: int = 0,
        mirror: bool = False,
    ) -> None:
        # Whoever polls learns late that a request was cancelled.
        self._pollable = group is None
        self._readable = Readable(clear=False)
        options = subscriber_options(
            policy=policy, budget=budget, reserve=reserve, reconnect=reconnect, name=name, directory=directory, group=group,
            rate=rate,
        )
        options |= {
            "pollable": self._pollable,
            "startup_frames": bool(startup_frames),
            "connect_timeout": max(1, nanoseconds("connect_timeout", connect_timeout)),
        }
        if wish := _wish(size, format, crop, rotate, mirror):
            options |= wish
            _name_command()
        if (spinning := nanoseconds("spin", spin)) > 0:
            options |= {"wait": 1, "spin_time": spinning}
        self._connect(text("channel", channel), tuple(map(encoded, names("streams", streams))), options, wait_for_channel)

    def _connect(self, channel: str, streams: tuple[bytes, ...], options: dict[str, Any], patience: float | None) -> None:
        # Here, not in C: Ctrl-C ends it at once.
        until = None if patience is None else time.monotonic() + bounded("wait_for_channel", patience)
        pause = 0.01
        while True:
            try:
                self._open(channel, streams, options)
                return
            except errors.NoSuchChannel:
                if until is not None and time.monotonic() >= until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 0.25)

    # asyncio

    async def anext(self, timeout: float | None = None) -> Frame | None:
        """As ``next``, for asyncio."""
        if timeout is None:
            return await self._anext()
        import asyncio

        try:
            async with asyncio.timeout(bounded("timeout", timeout)):
                return await self._anext()
        except errors.TimedOut:
            raise
        except TimeoutError:
            # The library knows why.
            return self.next(0)

    async def _anext(self) -> Frame | None:
        if not self._pollable:
            return await self._anext_in_thread()
        import asyncio

        while True:
            frame = self.try_next()
            if frame is not None or self.ended:
                return frame
            if self._has_warned:
                await self._readable.wait(self.fileno())
                continue
            try:
                async with asyncio.timeout(_SILENCE):
                    await self._readable.wait(self.fileno())
            except TimeoutError:
                try:
                    return self.next(0)
                except errors.TimedOut:
                    self._warn()

    async def _anext_in_thread(self) -> Frame | None:
        # In slices: nothing wakes a thread whose task was cancelled. What comes to it all the same is kept for the next call.
        import asyncio
        import threading

        given_up = threading.Event()

        def wait() -> bool:
            while not given_up.is_set():
                try:
                    return self._await_frame(_SLICE)
                except errors.TimedOut:
                    continue
            return True

        try:
            while (frame := self._take_kept()) is None:
                # Another task may have it already.
                if not await asyncio.get_running_loop().run_in_executor(None, wait):
                    return None
            return frame
        finally:
            given_up.set()

    def __aiter__(self) -> AsyncIterator[Frame]:
        return _AsyncFrames(self)

    # What it is

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams subscribed to, as they are now."""
        from .streams import stream_of

        return tuple(map(stream_of, self._streams()))

    @property
    def statistics(self) -> SubscriberStatistics:
        """What came and what was lost so far."""
        from .statistics import subscriber_statistics

        return subscriber_statistics(self._statistics())

    def close(self) -> None:
        """Leaves the channel. Frames that are held stay valid; whoever waits gets ``Released``. Twice does nothing."""
        if self._closed:
            return
        self._readable.end()
        self._close()
        # The tasks that wait now find the subscriber closed.
        self._readable.wake()

    def __enter__(self) -> Subscriber:
        if self._closed:
            raise errors.Released(f"this subscriber of '{self.channel}' was closed")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Subscriber:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.close()


def warn_of_budget(channel: str, reason: str) -> None:
    """Says that no frame comes since all that may be held are held."""
    import warnings

    text = f"'{channel}': {reason}. Arrays over a frame's bytes hold it, too: array.copy() does not"
    # At the line of the loop, or of the call.
    warnings.warn(text, RuntimeWarning, stacklevel=_stack_level())


def _stack_level() -> int:
    """How far above ``warn_of_budget`` the caller of this package is."""
    frame, level = sys._getframe(2), 2
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame, level = frame.f_back, level + 1
    return level


class _AsyncFrames:
    """One ``async for`` loop over a subscriber's frames: each is released when the next is asked for."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._current: Frame | None = None

    def __aiter__(self) -> _AsyncFrames:
        return self

    async def __anext__(self) -> Frame:
        frame, self._current = self._current, None
        if frame is not None:
            frame.release()
        self._current = await self._subscriber.anext()
        if self._current is None:
            raise StopAsyncIteration
        return self._current


def subscriber_options(
    *,
    policy: str = "latest",
    budget: int | None = None,
    reserve: bool = False,
    reconnect: bool = False,
    name: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    group: str | None = None,
    rate: float | None = None,
) -> dict[str, Any]:
    """How a channel is read, for the extension."""
    number, depth = _policy(policy)
    options: dict[str, Any] = {
        "policy": number,
        "queue_depth": depth,
        "budget": 0 if budget is None else whole("budget", budget, 1),
        "reserve": bool(reserve),
        "reconnect": bool(reconnect),
    }
    if rate is not None:
        options["rate"] = frame_rate("rate", rate)
    for key, given in (("name", name), ("directory", directory), ("group", group)):
        if given is not None:
            options[key] = encoded(given)
    return options


def _wish(
    size: tuple[int | None, int | None] | None,
    format: str | None,
    crop: tuple[int, int, int, int] | None,
    rotate: int,
    mirror: bool,
) -> dict[str, Any]:
    """What is wanted of the pixels, for the extension; nothing where they are wanted as they are."""
    wish: dict[str, Any] = {}
    if size is not None:
        try:
            sides = tuple(size)
        except TypeError:
            raise TypeError(f"size must be (width, height), not {size!r}") from None
        if len(sides) != 2 or sides == (None, None):
            raise errors.InvalidArgument(f"size is {size!r}; give (width, height), one of which may be None")
        for name, side in zip(("width", "height"), sides):
            if side is not None:
                wish[name] = whole(name, side, 1, 16_384)
    if format is not None:
        wish["format"] = encoded(text("format", format))
    if crop is not None:
        try:
            places = tuple(crop)
        except TypeError:
            raise TypeError(f"crop must be (x, y, width, height), not {crop!r}") from None
        if len(places) != 4:
            raise errors.InvalidArgument(f"crop is {crop!r}; give (x, y, width, height)")
        for name, value in zip(("crop_x", "crop_y", "crop_width", "crop_height"), places):
            wish[name] = whole(name, value, 1 if name in ("crop_width", "crop_height") else 0, 65_536)
    if whole("rotate", rotate, 0, 359) % 90:
        raise errors.InvalidArgument(f"rotate is {rotate!r}; give 0, 90, 180 or 270")
    if rotate:
        wish["rotation"] = rotate
    if mirror:
        wish["mirror"] = 1
    return wish


def _name_command() -> None:
    """Tells the library where the command is that converts: in this package, or beside this Python."""
    import os

    from ._command import find_command

    if "FRAMESHARE_COMMAND" not in os.environ:
        try:
            os.environ["FRAMESHARE_COMMAND"] = find_command()
        except errors.NoCommand:
            pass  # a stream of the channel may be as wanted, and the library says what is missing


def _policy(policy: str) -> tuple[int, int]:
    name, colon, depth = text("policy", policy).partition(":")
    # As Swift, C and the command write it, too: everyFrame, FRAMESHARE_POLICY_EVERY_FRAME.
    name = name.lower().replace("-", "").replace("_", "").removeprefix("framesharepolicy")
    if name == "queue" and (not colon or depth.isascii() and depth.isdecimal()):
        return 1, min(int(depth or 4), 2**32 - 1)
    if not colon and name in ("latest", "everyframe"):
        return (0, 0) if name == "latest" else (2, 0)
    raise errors.InvalidArgument(f"there is no policy '{policy}'; use 'latest', 'queue:4' or 'every-frame'")
