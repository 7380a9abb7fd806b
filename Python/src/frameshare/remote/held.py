"""Buffers that a pool's workers still read, and a camera that is started again must not fill."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

from .._native import inode
from .._tap import Tap

_log = logging.getLogger("frameshare")


class HeldBuffers:
    """picamera2 queues all of its buffers when it starts, also those of requests that are held. The tap keeps these back.

    Its lock is its own, and nothing is called under it: the camera asks under locks of its own. Requests go back under the
    tap's, which a start has while it asks: it never sees a buffer as free whose request is still to go back.
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

    def give_back(self, request: Any, buffer: tuple[int, int]) -> None:
        """The camera may have it. What goes wrong is logged: the camera needs its other requests."""
        tap = self._taps.get(id(request.picam2))
        with contextlib.nullcontext() if tap is None else tap.turning:
            with self._lock:
                self._counts[buffer] -= 1
                if self._counts[buffer] == 0:
                    del self._counts[buffer]
            try:
                request.release()
            except Exception:
                _log.exception("a request could not be given back to the camera")
            if tap is not None:
                tap.resume()

    def close(self) -> None:
        for tap in self._taps.values():
            tap.remove(self)
        self._taps = {}

    # What the tap asks and tells

    def holds(self, buffers: Any) -> bool:
        inodes = [inode(buffer.planes[0].fd) for buffer in buffers.values()]
        with self._lock:
            return any(inode in self._counts for inode in inodes)

    def completed(self, request: Any) -> None:
        pass

    def closing(self) -> None:
        pass

    def closed(self) -> None:
        pass
