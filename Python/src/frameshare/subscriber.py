"""Reading a channel's frames."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import warnings
from typing import Any, AsyncIterator, Callable, Iterable, Iterator

from . import errors
from ._library import ENDED, NO_FRAME, NOT_FOUND, bounded, check, encoded, ffi, lib, nanoseconds, struct, whole
from ._waiting import SLICE, Readable, wait
from .frames import Frame
from .statistics import SubscriberStatistics, subscriber_statistics
from .streams import Stream, stream_of


#: How long, in seconds, a wait without end is silent before it is asked whether the budget is used up.
_SILENCE = 1.0


class Subscriber:
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

    ``group`` shares the work: each frame goes to one member of the group, which answers by ``frame.request``; see
    ``Worker``. A member has no ``fileno()``.

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
    ) -> None:
        self.channel = channel
        self._handle: Any = None
        # Whoever polls learns late that a request was cancelled.
        self._pollable = group is None
        self._ended = False
        self._has_warned = False
        self._readable = Readable(self.fileno, clear=False)
        options = struct("subscriber_options")
        options.policy, options.queue_depth = _policy(policy)
        options.budget = _count("budget", budget)
        options.reserve, options.reconnect, options.pollable = reserve, reconnect, self._pollable
        options.wait, options.spin_time = (1, nanoseconds(spin)) if not spin <= 0 else (0, 0)
        options.connect_timeout = max(1, nanoseconds(connect_timeout))
        keep = [ffi.new("char[]", encoded(stream)) for stream in streams or ()]
        names = ffi.new("char *[]", keep)
        options.streams, options.stream_count = names, len(keep)
        if name is not None:
            keep.append(ffi.new("char[]", encoded(name)))
            options.name = keep[-1]
        if directory is not None:
            keep.append(ffi.new("char[]", encoded(directory)))
            options.directory = keep[-1]
        if group is not None:
            keep.append(ffi.new("char[]", encoded(group)))
            options.group = keep[-1]
        pointer = ffi.new("frameshare_subscriber **")
        self._connect(options, pointer, wait_for_channel)
        self._handle = pointer[0]

    def _connect(self, options: Any, pointer: Any, patience: float | None) -> None:
        # Here, not in C: Ctrl-C ends it at once.
        until = None if patience is None else time.monotonic() + bounded(patience)
        pause = 0.01
        while True:
            try:
                check(lib.frameshare_subscriber_open(encoded(self.channel), options, pointer))
                return
            except errors.NoSuchChannel:
                if until is not None and time.monotonic() >= until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 0.25)

    def _open(self) -> Any:
        if self._handle is None:
            raise errors.Released(f"this subscriber of '{self.channel}' was closed")
        return self._handle

    # Taking frames

    def next(self, timeout: float | None = None, *, after: int | None = None) -> Frame | None:
        """The next frame; waits for it. None when the channel has ended in order.

        ``timeout`` is in seconds; ``TimedOut`` is raised when it has passed. ``after`` passes over frames that were
        captured at that timestamp or before. Other threads run meanwhile, and Ctrl-C ends it at once.
        """
        handle, pointer = self._open(), ffi.new("frameshare_frame **")
        if after is not None:
            after = whole("after", after, -(2**63), 2**63 - 1)

        def take(part: int) -> int:
            if after is None:
                return int(lib.frameshare_subscriber_next(handle, part, pointer))
            return int(lib.frameshare_subscriber_next_after(handle, after, part, pointer))

        if timeout is None and not self._has_warned:
            result = self._take_or_warn(take)
        else:
            result = wait(take, timeout)
        if result == ENDED:
            self._ended = True
            return None
        return Frame(pointer[0])

    def _take_or_warn(self, take: Callable[[int], int]) -> int:
        """Waits for ever; says once that the budget is used up, where that is why no frame comes."""
        while not self._has_warned:
            try:
                return wait(take, _SILENCE)
            except errors.TimedOut as error:
                self._warn(error)
        return wait(take, None)

    def _warn(self, error: errors.TimedOut) -> None:
        if not self._has_warned and "you hold" in str(error):
            self._has_warned = True
            text = f"'{self.channel}': {error}. Arrays over a frame's bytes hold it, too: array.copy() does not"
            # At the line of the loop, or of the call.
            warnings.warn(text, RuntimeWarning, stacklevel=_stack_level())

    def try_next(self) -> Frame | None:
        """The next frame if there is one now. None if not, and when the channel has ended: see ``ended``."""
        pointer = ffi.new("frameshare_frame **")
        result = check(lib.frameshare_subscriber_try_next(self._open(), pointer))
        if result == NO_FRAME:
            return None
        if result == ENDED:
            self._ended = True
            return None
        return Frame(pointer[0])

    @property
    def ended(self) -> bool:
        """Whether the channel is known to have ended in order."""
        return self._ended

    def __iter__(self) -> Iterator[Frame]:
        """Frames until the channel ends. Each is released when the next is asked for, unless arrays of it live on; take
        frames that are to be kept by ``next()``."""
        return _Frames(self)

    def fileno(self) -> int:
        """For ``select``, ``poll`` and event loops: readable while ``try_next`` has a frame to give, or something to look
        after. It is the same as long as the subscriber lives, also when it connects again. Only poll it."""
        fd = ffi.new("int *")
        check(lib.frameshare_subscriber_poll_fd(self._open(), fd))
        return int(fd[0])

    # asyncio

    async def anext(self, timeout: float | None = None) -> Frame | None:
        """As ``next``, for asyncio."""
        if timeout is None:
            return await self._anext()
        try:
            async with asyncio.timeout(bounded(timeout)):
                return await self._anext()
        except errors.TimedOut:
            raise
        except TimeoutError:
            # The library knows why.
            return self._at_once()

    async def _anext(self) -> Frame | None:
        if not self._pollable:
            return await self._anext_in_thread()
        while True:
            frame = self.try_next()
            if frame is not None or self._ended:
                return frame
            if self._has_warned:
                await self._readable.wait()
                continue
            try:
                async with asyncio.timeout(_SILENCE):
                    await self._readable.wait()
            except TimeoutError:
                try:
                    return self._at_once()
                except errors.TimedOut as error:
                    self._warn(error)

    def _at_once(self) -> Frame | None:
        """The next frame, or ``TimedOut`` with the reason why there is none."""
        pointer = ffi.new("frameshare_frame **")
        if check(lib.frameshare_subscriber_next(self._open(), 0, pointer)) == ENDED:
            self._ended = True
            return None
        return Frame(pointer[0])

    async def _anext_in_thread(self) -> Frame | None:
        # In slices: nothing wakes a thread whose task was cancelled.
        given_up = threading.Event()

        def wait() -> Frame | None:
            while not given_up.is_set():
                try:
                    return self.next(timeout=2 * SLICE)
                except errors.TimedOut:
                    continue
            return None

        try:
            return await asyncio.get_running_loop().run_in_executor(None, wait)
        finally:
            given_up.set()

    def __aiter__(self) -> AsyncIterator[Frame]:
        return _AsyncFrames(self)

    # What it is

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams subscribed to, as they are now."""
        result, index, c = [], 0, struct("stream")
        while check(lib.frameshare_subscriber_stream_at(self._open(), index, c)) != NOT_FOUND:
            result.append(stream_of(c))
            index += 1
        return tuple(result)

    @property
    def statistics(self) -> SubscriberStatistics:
        """What came and what was lost so far."""
        return subscriber_statistics(self._open())

    def interrupt(self) -> None:
        """Makes threads that wait in ``next`` now raise ``FrameShareError``."""
        check(lib.frameshare_subscriber_interrupt(self._open()))

    def close(self) -> None:
        """Leaves the channel. Frames that are held stay valid; whoever waits gets ``Released``. Twice does nothing."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        # The tasks that wait then find the subscriber closed.
        self._readable.wake()
        lib.frameshare_subscriber_close(handle)

    def __enter__(self) -> Subscriber:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Subscriber:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()

    def __repr__(self) -> str:
        return f"<frameshare.Subscriber of '{self.channel}'{', closed' if self._handle is None else ''}>"


def _stack_level() -> int:
    """How far above ``_warn`` the caller of this package is."""
    frame, level = sys._getframe(2), 2
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame, level = frame.f_back, level + 1
    return level


class _Frames:
    """One loop over a subscriber's frames."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._current: Frame | None = None

    def __iter__(self) -> _Frames:
        return self

    def __next__(self) -> Frame:
        self._let_go()
        self._current = self._subscriber.next()
        if self._current is None:
            raise StopIteration
        return self._current

    def _let_go(self) -> None:
        frame, self._current = self._current, None
        if frame is not None:
            frame.release()

    def __del__(self) -> None:
        self._let_go()


class _AsyncFrames:
    """As `_Frames`, for ``async for``."""

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


def _policy(policy: str) -> tuple[int, int]:
    name, _, depth = policy.partition(":")
    if name == "queue" and (not depth or depth.isdecimal()):
        return 1, min(int(depth or 4), 2**32 - 1)
    if not depth and name == "latest":
        return 0, 0
    # As Swift, C and the command write it.
    if not depth and name in ("every-frame", "every_frame", "everyFrame"):
        return 2, 0
    raise errors.InvalidArgument(f"there is no policy '{policy}'; use 'latest', 'queue:4' or 'every-frame'")


def _count(name: str, value: int | None) -> int:
    if value is None:
        return 0
    if not 1 <= value < 2**32:
        raise errors.InvalidArgument(f"{name} {value} is not possible")
    return value
