"""A worker's own pixels: what it writes to a frame, it alone sees."""

from __future__ import annotations

import mmap
import os
import numpy as np

from ..images import Image

_PAGE = mmap.PAGESIZE
_GRANULARITY = mmap.ALLOCATIONGRANULARITY
# In /proc/PID/pagemap: the page is the file's own, so nobody has written to it.
_OF_FILE = 1 << 61
_HERE = 1 << 63 | 1 << 62  # in memory, or swapped out


class PrivateImages:
    """Copy-on-write mappings of a pool's buffers: nothing is copied but the pages that a worker writes to.

    Of memfds alone; no Linux maps a dma-buf so.
    """

    def __init__(self) -> None:
        self._generation = 0
        self._maps: dict[tuple[int, int, int], mmap.mmap] = {}  # by the memfd's inode, and where in it

    def of(self, image: Image, generation: int) -> tuple[Image, mmap.mmap] | None:
        """The image over a private mapping; None where its memory allows none."""
        layout = image.layout
        if image.memory != "memfd" or len({plane.buffer for plane in layout}) != 1:
            return None
        if generation != self._generation:
            # Others are the camera's buffers now. What somebody still has an array of goes with that.
            self._maps, self._generation = {}, generation
        # Of this slot alone: others lie in the same memfd.
        start = min(plane.offset for plane in layout) // _GRANULARITY * _GRANULARITY
        end = max(plane.offset + plane.size for plane in layout)
        status = os.fstat(layout[0].fd)
        key = (status.st_dev, status.st_ino, start)
        memory = self._maps.get(key)
        if memory is None:
            protection = mmap.PROT_READ | mmap.PROT_WRITE
            memory = mmap.mmap(layout[0].fd, end - start, flags=mmap.MAP_PRIVATE, prot=protection, offset=start)
            self._maps[key] = memory
        # It keeps the memory, and not the frame.
        return image._over(memory, tuple(plane.offset - start for plane in layout), False), memory


def forget_writes(memory: mmap.mmap) -> None:
    """The next frame in this buffer is to be seen as the camera has written it."""
    if _was_written(memory):
        memory.madvise(mmap.MADV_DONTNEED)


def _was_written(memory: mmap.mmap) -> bool:
    address = np.frombuffer(memory, np.uint8).ctypes.data
    try:
        with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
            pages = -(-len(memory) // _PAGE)
            entries = np.frombuffer(os.pread(pagemap.fileno(), 8 * pages, address // _PAGE * 8), np.uint64)
    except OSError:
        return True  # where nobody says, they are taken as written
    return len(entries) < pages or bool(((entries & _HERE != 0) & (entries & _OF_FILE == 0)).any())


def copied(image: Image) -> Image:
    """The image over a copy of its bytes, one plane behind the other."""
    sizes = [plane.bytes_used if image.format.is_compressed else plane.size for plane in image.layout]
    offsets = [sum(sizes[:index]) for index in range(len(sizes))]
    memory = np.empty(sum(sizes), np.uint8)
    for index, (offset, size) in enumerate(zip(offsets, sizes)):
        memory[offset : offset + size] = image.plane_bytes(index)[:size]
    return image._over(memory, tuple(offsets), True)
