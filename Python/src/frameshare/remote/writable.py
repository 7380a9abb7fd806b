"""A worker's own pixels: what it writes to a frame, it alone sees."""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from .._library import ffi
from ..formats import ArrayShape
from ..images import Image

_PAGE = mmap.PAGESIZE
# In /proc/PID/pagemap: the page is the file's own, so nobody has written to it.
_OF_FILE = 1 << 61
_HERE = 1 << 63 | 1 << 62  # in memory, or swapped out


class PrivateImages:
    """Copy-on-write mappings of a pool's buffers: nothing is copied but the pages that a worker writes to.

    Of memfds alone; no Linux maps a dma-buf so.
    """

    def __init__(self) -> None:
        self._generation = 0
        self._maps: dict[tuple[int, int], mmap.mmap] = {}  # by the buffer's inode

    def of(self, image: Image, generation: int) -> tuple[PrivateImage, mmap.mmap] | None:
        """The image over a private mapping; None where its memory allows none."""
        layout = image.layout
        if image.memory != "memfd" or len({plane.buffer for plane in layout}) != 1:
            return None
        if generation != self._generation:
            # Others are the camera's buffers now. What somebody still has an array of goes with that.
            self._maps, self._generation = {}, generation
        status = os.fstat(layout[0].fd)
        key = (status.st_dev, status.st_ino)
        memory = self._maps.get(key)
        if memory is None:
            protection = mmap.PROT_READ | mmap.PROT_WRITE
            memory = mmap.mmap(layout[0].fd, status.st_size, flags=mmap.MAP_PRIVATE, prot=protection)
            self._maps[key] = memory
        return PrivateImage(image, memory, layout[0].offset), memory


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


class PrivateImage(Image):
    """The same image over other memory, which may be written to."""

    def __init__(self, image: Image, memory: Any, offset: int) -> None:
        """`offset` is where the first plane lies in `memory`."""
        c = ffi.new("struct frameshare_image *")
        c[0] = image._c[0]
        self._bytes: npt.NDArray[np.uint8] = np.frombuffer(memory, np.uint8)
        for plane in c.planes[0 : c.plane_count]:
            self._point(plane, offset + plane.offset - image._c.planes[0].offset)
        super().__init__(image._held(), c, writable=True)
        # The frame's own image is another.
        image._held().images.discard(self)

    def _point(self, plane: Any, offset: int) -> None:
        plane.data = ffi.cast("void *", self._bytes.ctypes.data + offset)

    def _view(self, address: int, shape: ArrayShape) -> npt.NDArray[Any]:
        # It keeps the memory, and not the frame.
        start = address - self._bytes.ctypes.data
        return np.ndarray(shape.shape, shape.dtype, self._bytes, start, shape.strides)


def copied(image: Image) -> PrivateImage:
    """The image over a copy of its bytes, one plane behind the other."""
    planes = image._c.planes[0 : image._c.plane_count]
    sizes = [plane.bytes_used if image.format.is_compressed else plane.size for plane in planes]
    memory = np.empty(sum(sizes), np.uint8)
    result, offset = PrivateImage(image, memory, 0), 0
    for source, plane, size in zip(planes, result._c.planes[0 : len(planes)], sizes):
        memory[offset : offset + size] = np.frombuffer(ffi.buffer(source.data, size), np.uint8)
        result._point(plane, offset)
        plane.offset, plane.buffer = offset, 0
        offset += size
    return result
