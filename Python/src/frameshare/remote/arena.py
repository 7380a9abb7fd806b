"""Memory for what is too large to go with a frame: a request's arguments, and a camera's large metadata."""

from __future__ import annotations

import mmap
import os
import pickle
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np

from .. import errors

# Up to so many bytes go with the frame itself.
INLINE = 16 << 10
_PAGE = mmap.PAGESIZE
# Memory that was written to before takes a fraction of the time: so much is kept for the next request.
_KEPT = 16 << 20


class Arena:
    """Shared memory, known to no file system, which the pool's process writes and its workers read.

    Arrays and what else has the buffer protocol go as they are: one copy on each side. Used under the dispatcher's lock.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._fd = os.memfd_create("frameshare-arguments", os.MFD_CLOEXEC) if descriptor is None else descriptor
        self._used: dict[int, int] = {}  # size by offset
        self._end = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (DupFd(self._fd),)

    def put(self, value: Any) -> bytes | list[int]:
        """What goes with the frame for a value: its bytes, or where it lies: offset, and the sizes of its parts."""
        buffers: list[pickle.PickleBuffer] = []
        parts: list[Any] = [pickle.dumps(value, protocol=5, buffer_callback=buffers.append)]
        parts += [buffer.raw() for buffer in buffers]
        if len(parts) == 1 and len(parts[0]) <= INLINE:
            return bytes(parts[0])
        sizes = [len(part) for part in parts]
        offset = self._reserve(sum(sizes))
        try:
            self._write(parts, offset)
        except OSError as error:
            self.free([offset])
            raise errors.FrameShareError(f"no memory for {sum(sizes)} bytes that go with a request: {error}") from error
        return [offset, *sizes]

    def _reserve(self, size: int) -> int:
        """The first gap that is large enough."""
        size, end = -(-max(1, size) // _PAGE) * _PAGE, 0
        for offset in sorted(self._used):
            if offset - end >= size:
                break
            end = offset + self._used[offset]
        self._used[end] = size
        self._end = max(self._end, end + size)
        return end

    def _write(self, parts: list[Any], offset: int) -> None:
        for part in parts:
            rest = memoryview(part).cast("B") if len(part) else memoryview(b"")
            while len(rest):
                written = os.pwrite(self._fd, rest, offset)
                offset, rest = offset + written, rest[written:]

    def free(self, place: bytes | list[int] | None) -> None:
        """Ends what `put` gave. Once there is nothing left, most of its memory goes back to the system."""
        if isinstance(place, list):
            del self._used[place[0]]
            if not self._used and self._end > _KEPT:
                self._end = _KEPT
                os.ftruncate(self._fd, _KEPT)

    def get(self, place: bytes | list[int]) -> Any:
        """The value, in a worker: a copy of its own, which it may keep and write to."""
        if isinstance(place, bytes):
            return pickle.loads(place)
        offset, *sizes = place
        data = memoryview(np.empty(sum(sizes), np.uint8))  # type: ignore[arg-type,unused-ignore]
        position = 0
        while position < len(data):
            read = os.preadv(self._fd, [data[position:]], offset + position)
            if read == 0:
                raise errors.FrameShareError("a request's arguments are gone: nobody waits for it any more")
            position += read
        parts: list[memoryview] = []
        start = 0
        for size in sizes:
            parts.append(data[start : start + size])
            start += size
        return pickle.loads(parts[0], buffers=parts[1:])

    def close(self) -> None:
        os.close(self._fd)


def _received(descriptor: Any) -> Arena:
    return Arena(descriptor.detach())
