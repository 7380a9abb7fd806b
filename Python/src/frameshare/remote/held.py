"""Buffers that a pool's workers still read, and a camera that is started again must not fill."""

from __future__ import annotations

import os
import threading
from typing import Any

from .._tap import Tap


class HeldBuffers:
    """picamera2 queues all of its buffers when it starts, also those of requests that are held. The tap keeps these back.

    Its lock is its own, and nothing is called under it: the camera asks under locks of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[int, int], int] = {}
        self._taps: dict[int, Tap] = {}

    def keep(self, picam2: Any, buffer: tuple[int, int]) -> None:
        with self._lock:
            self._counts[buffer] = self._counts.get(buffer, 0) + 1
            known = id(picam2) in self._taps
        if not known and hasattr(picam2, "_make_requests"):
            tap = Tap.of(picam2)
            tap.add(self)
            self._taps[id(picam2)] = tap

    def let_go(self, buffer: tuple[int, int]) -> None:
        with self._lock:
            self._counts[buffer] -= 1
            if self._counts[buffer] == 0:
                del self._counts[buffer]

    def resume(self) -> None:
        """The cameras may have what was let go."""
        for tap in self._taps.values():
            tap.resume()

    def close(self) -> None:
        for tap in self._taps.values():
            tap.remove(self)
        self._taps = {}

    # What the tap asks and tells

    def holds(self, buffers: Any) -> bool:
        inodes = [(status.st_dev, status.st_ino) for status in (os.fstat(b.planes[0].fd) for b in buffers.values())]
        with self._lock:
            return any(inode in self._counts for inode in inodes)

    def completed(self, request: Any) -> None:
        pass

    def closing(self) -> None:
        pass

    def closed(self) -> None:
        pass
