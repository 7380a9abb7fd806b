"""Which worker is at which frame: in memory that the pool's process and its workers share."""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from multiprocessing.reduction import DupFd
from typing import Any, Iterator

# A worker's line: the number of its frame, when it began with that on the monotonic clock in ns, and the worker's pid.
_FRAME, _MOMENT, _PID, _WORDS = 0, 1, 2, 4
_LINE = 8 * _WORDS


class AtWork:
    """A line for each worker, which it writes when it begins with a frame. So nobody is woken to be told of it, and what a worker
    was at is known after its end."""

    def __init__(self, workers: int = 1, descriptor: int | None = None) -> None:
        if descriptor is None:
            # Lines of workers that have ended stay, as long as there are others.
            size = -(-(4 * workers + 64) * _LINE // mmap.PAGESIZE) * mmap.PAGESIZE
            descriptor = os.memfd_create("frameshare-at-work", os.MFD_CLOEXEC)
            os.ftruncate(descriptor, size)
        self._fd = descriptor
        self._words = memoryview(mmap.mmap(descriptor, 0)).cast("Q")
        self._start = -1

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (DupFd(self._fd),)

    def __iter__(self) -> Iterator[tuple[int, int, float]]:
        """Worker, frame, and the moment in seconds on the monotonic clock, of each that has begun with any."""
        words = self._words
        for start in range(0, len(words), _WORDS):
            if words[start + _PID] == 0:
                return  # lines are taken in their order
            if words[start + _FRAME] != 0:
                yield words[start + _PID], words[start + _FRAME], words[start + _MOMENT] / 1e9

    def take_line(self) -> None:
        """In a worker, once: a line of its own. A lock on it ends with the worker."""
        lines = range(0, len(self._words), _WORDS)
        for unused in (True, False):
            for start in lines:
                if unused and self._words[start + _PID] != 0:
                    continue
                try:
                    fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, start)
                except OSError:
                    continue
                self._words[start + _FRAME] = 0
                self._words[start + _PID] = os.getpid()
                self._start = start
                return

    def begin(self, frame: int) -> None:
        """In a worker: it begins with a frame."""
        if self._start >= 0:
            self._words[self._start + _MOMENT] = time.monotonic_ns()
            self._words[self._start + _FRAME] = frame

    def close(self) -> None:
        os.close(self._fd)


def _received(descriptor: Any) -> AtWork:
    return AtWork(descriptor=descriptor.detach())
