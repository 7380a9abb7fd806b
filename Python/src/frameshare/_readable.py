"""Waiting in event loops."""

from __future__ import annotations

import os
from _thread import allocate_lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Readable:
    """Lets any number of tasks, in any event loops, wait until a descriptor is readable."""

    def __init__(self, fileno: Callable[[], int], *, clear: bool) -> None:
        self._fileno = fileno
        # An eventfd is read to be unreadable again; a socket is the library's to read.
        self._clear = clear
        self._lock = allocate_lock()
        self._waiters: dict[asyncio.AbstractEventLoop, set[asyncio.Future[None]]] = {}

    async def wait(self) -> None:
        import asyncio

        loop, fd = asyncio.get_running_loop(), self._fileno()
        waiter: asyncio.Future[None] = loop.create_future()
        with self._lock:
            waiters = self._waiters.setdefault(loop, set())
            waiters.add(waiter)
        loop.add_reader(fd, self._ready, fd)
        try:
            await waiter
        finally:
            with self._lock:
                waiters.discard(waiter)
                last = not waiters
                if last:
                    self._waiters.pop(loop, None)
            if last:
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
            waiter.get_loop().call_soon_threadsafe(_set, waiter)


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
