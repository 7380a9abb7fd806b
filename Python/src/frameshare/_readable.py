"""Waiting in event loops."""

from __future__ import annotations

import os
from _thread import allocate_lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

#: Whose reader a loop has for a descriptor. A descriptor's number may be another one's soon after it was closed: only the reader
#: of one's own is removed. What concerns a loop is written and read in its thread alone.
_readers: dict[tuple[asyncio.AbstractEventLoop, int], Readable] = {}


class Readable:
    """Lets any number of tasks, in any event loops, wait until a descriptor is readable.

    It does not keep the descriptor's owner, which has it: so the owner ends as soon as it is dropped.
    """

    def __init__(self, *, clear: bool) -> None:
        # An eventfd is read to be unreadable again; a socket is the library's to read.
        self._clear = clear
        self._lock = allocate_lock()
        self._waiters: dict[tuple[asyncio.AbstractEventLoop, int], set[asyncio.Future[None]]] = {}

    async def wait(self, fd: int) -> None:
        """Waits for the descriptor, which must stay open until this has returned, or `end` was called."""
        import asyncio

        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        place = loop, fd
        with self._lock:
            self._waiters.setdefault(place, set()).add(waiter)
        try:
            if _readers.get(place, self) is not self:
                # Of a descriptor that was closed: the loop would take this one for that one, and not look at it.
                loop.remove_reader(fd)
            _readers[place] = self
            loop.add_reader(fd, self._ready, fd)
            await waiter
        finally:
            with self._lock:
                waiters = self._waiters[place]
                waiters.discard(waiter)
                is_last = not waiters
                if is_last:
                    del self._waiters[place]
            if is_last:
                self._remove(loop, fd)

    def _remove(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        if _readers.get((loop, fd)) is self:
            del _readers[loop, fd]
            loop.remove_reader(fd)

    def _ready(self, fd: int) -> None:
        if self._clear:
            try:
                os.read(fd, 8)
            except BlockingIOError:
                pass  # another loop was first; it wakes everyone
        self.wake()

    def wake(self) -> None:
        """Wakes all that wait, from whichever thread: they look again."""
        with self._lock:
            everyone = [waiter for waiters in self._waiters.values() for waiter in waiters]
        for waiter in everyone:
            _call(waiter.get_loop(), _set, waiter)

    def end(self) -> None:
        """To be called before the descriptor is closed: no loop looks at it any more. Wakes all that wait."""
        with self._lock:
            places = list(self._waiters)
        if not places:
            return
        import asyncio

        here: asyncio.AbstractEventLoop | None = None
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            pass
        for loop, fd in places:
            if loop is here:
                self._remove(loop, fd)
            else:
                _call(loop, self._remove, loop, fd)
        self.wake()


def _call(loop: asyncio.AbstractEventLoop, function: Any, *arguments: Any) -> None:
    """Calls something in the thread of a loop."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        pass  # the loop was closed, and its tasks with it


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
