"""Images of frames: arrays over the memory that the camera wrote."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import errors
from ._library import check, encoded, ffi, lib, struct, text
from .formats import ArrayShape, Format, format_of, plane_shape, require

if TYPE_CHECKING:
    import PIL.Image

_MEMORY = {1: "memfd", 2: "dma-heap", 3: "udmabuf", 4: "dma-buf"}
_PROTECTION = {1: "sealed", 2: "read-only-export", 3: "none"}


class Lease:
    """The hold on a frame or slot. It ends when nobody has it any more: neither the frame nor an array over its bytes."""

    def __init__(self, handle: Any, end: Any) -> None:
        self.handle = handle
        self._end = end
        self.images: weakref.WeakSet[Image] = weakref.WeakSet()

    def void_images(self) -> None:
        """Takes the lease from the images that were handed out, for their frame was released."""
        for image in list(self.images):
            image._lease = None

    def __del__(self) -> None:
        # In a forked child, and for a slot that was published, this answers with an error, which is right.
        self._end(self.handle)


class _Bytes:
    """What an array stands on: bytes, and the lease that keeps them."""

    def __init__(self, lease: Lease, address: int, shape: ArrayShape, writable: bool) -> None:
        self._lease = lease
        self.__array_interface__ = {
            "version": 3,
            "data": (address, not writable),
            "typestr": shape.dtype.str,
            "shape": shape.shape,
            "strides": shape.strides,
        }


@dataclass(frozen=True)
class PlaneLayout:
    """Where a plane lies, in bytes."""

    #: From the start of its buffer to its first pixel.
    offset: int
    #: From one row to the next; 0 for a compressed format.
    stride: int
    #: Padding included; of a compressed image the most it can have.
    size: int
    #: How many bytes hold data.
    bytes_used: int
    #: Which of the image's buffers it lies in.
    buffer: int
    #: That buffer's descriptor (memfd or dma-buf): the library's, so ``os.dup`` it to keep it.
    fd: int


class Image:
    """An image of a frame, in place. Nothing is copied, and nothing can be written.

    ``array`` is a view of the camera's own memory. As long as a view lives, so does the lease on the frame: its slot is
    not used again. Copy what is to be kept for long.
    """

    def __init__(self, lease: Lease, c: Any, writable: bool = False) -> None:
        self._lease: Lease | None = lease
        self._c = c
        self._writable = writable
        #: The stream's name.
        self.name: str = text(c.stream)
        self.width: int = c.width
        self.height: int = c.height
        self.format: Format = format_of(c.fourcc, c.modifier)
        lease.images.add(self)

    def _held(self) -> Lease:
        if self._lease is None:
            raise errors.Released(f"this image's frame was released; take arrays of '{self.name}' before, or copy them")
        return self._lease

    def _view(self, address: int, shape: ArrayShape) -> npt.NDArray[Any]:
        return np.asarray(_Bytes(self._held(), address, shape, self._writable))

    @property
    def layout(self) -> tuple[PlaneLayout, ...]:
        """Where the planes lie, for import into a GPU, encoder or display."""
        self._held()
        return tuple(
            PlaneLayout(p.offset, p.stride, p.size, p.bytes_used, p.buffer, p.fd)
            for p in self._c.planes[0 : self._c.plane_count]
        )

    @property
    def fds(self) -> tuple[int, ...]:
        """The descriptors of the image's buffers, once each."""
        buffers = {plane.buffer: plane.fd for plane in self.layout}
        return tuple(buffers[i] for i in sorted(buffers))

    @property
    def memory(self) -> str:
        """What the pixels are in: "memfd", "dma-heap", "udmabuf" or "dma-buf"."""
        return _MEMORY.get(self._c.memory, "unknown")

    @property
    def protection(self) -> str:
        """What keeps readers from writing: "sealed", "read-only-export" or "none"."""
        return _PROTECTION.get(self._c.protection, "unknown")

    @property
    def color_space(self) -> str:
        """libcamera's name, such as "sYCC" or "Rec709"."""
        name = ffi.new("char[72]")
        check(lib.frameshare_color_space_name(self._c.color_space, name, 72))
        return text(name)

    @property
    def planes(self) -> tuple[npt.NDArray[Any], ...]:
        """An array over each plane, padding left out: Y, U and V of a YUV420 image; one for most other formats.

        See :func:`frameshare.formats.plane_shape` for shapes.
        """
        return tuple(self._plane(i) for i in range(self._c.plane_count))

    def _plane(self, index: int) -> npt.NDArray[Any]:
        plane = self._c.planes[index]
        self._held()
        if plane.data == ffi.NULL:
            raise errors.FrameShareError("the CPU can't map this memory; import its descriptor (fds)")
        shape = plane_shape(self.format, index, self.width, self.height, plane.stride, plane.bytes_used)
        return self._view(int(ffi.cast("uintptr_t", plane.data)), shape)

    @property
    def array(self) -> npt.NDArray[Any]:
        """The image as one array, in place, shaped as its format demands.

        For formats of one plane, rows, columns and samples, with the padding at the ends of rows left out. For planar
        and semi-planar YUV all planes one below the other, as OpenCV's conversions and picamera2 have them: rows of the
        first plane's stride (height * 3 / 2 of them for YUV420 and NV12), which the image's width may not fill;
        ``planes`` has each plane without padding. Compressed images are one row of bytes.
        """
        c = self._c
        if c.plane_count == 1:
            return self._plane(0)
        planes = self.layout
        stride, total = planes[0].stride, 0
        for plane in planes:
            together = plane.buffer == 0 and plane.offset == planes[0].offset + total
            require(together, f"the planes of this {self.format} image don't lie one below the other: use 'planes'")
            total += plane.size
        require(stride > 0 and total % stride == 0, f"this {self.format} image has no whole rows: use 'planes'")
        shape = ArrayShape(np.dtype(np.uint8), (total // stride, stride), (stride, 1))
        return self._view(int(ffi.cast("uintptr_t", c.planes[0].data)), shape)

    @property
    def rows(self) -> npt.NDArray[np.uint8]:
        """The image's bytes by rows of its stride, padding included: rows, bytes of a row. Of a raw image that is what
        picamera2's ``make_array`` gives."""
        planes = self.layout
        stride, size = planes[0].stride, planes[0].size
        require(len(planes) == 1 and stride > 0, f"a {self.format} image is not one plane of rows: use 'planes'")
        return self.plane_bytes(0)[: size // stride * stride].reshape(size // stride, stride)

    def plane_bytes(self, index: int) -> npt.NDArray[np.uint8]:
        """All bytes of a plane, padding included."""
        plane = self._c.planes[index]
        self._held()
        if plane.data == ffi.NULL:
            raise errors.FrameShareError("the CPU can't map this memory; import its descriptor (fds)")
        shape = ArrayShape(np.dtype(np.uint8), (plane.size,), (1,))
        return self._view(int(ffi.cast("uintptr_t", plane.data)), shape)

    @property
    def buffer(self) -> memoryview:
        """All bytes of the image's first plane, padding included, by the buffer protocol."""
        plane = self._c.planes[0]
        self._held()
        size = plane.bytes_used if self.format.is_compressed else plane.size
        shape = ArrayShape(np.dtype(np.uint8), (size,), (1,))
        array: Any = self._view(int(ffi.cast("uintptr_t", plane.data)), shape)
        return memoryview(array)

    def __buffer__(self, flags: int) -> memoryview:
        # Python 3.12 and later; before that, `buffer`.
        return self.buffer

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = self.array
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        """For ``np.from_dlpack`` and ``torch.from_dlpack``: the array's memory. It is read-only, which consumers must
        know of (DLPack 1.0); older ones are refused by numpy: give them a copy."""
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU

    @property
    def channel_order(self) -> str | None:
        """The order of ``array``'s last axis, such as "BGR" or "RGBX"; None where that has no colours of its own. DRM and
        libcamera name a format by its word: RGB888 is blue, green, red in memory, as OpenCV has it."""
        if self.format.color_model != "rgb" or self.format.is_compressed:
            return None
        names = self.format.planes[0].components
        return names if self.array.ndim == 3 and len(names) == self.array.shape[2] else None

    def to_bgr(self) -> npt.NDArray[Any]:
        """A copy as blue, green, red of 8 bits each, as OpenCV has it: height, width, 3. Needs what ``to_rgb`` needs."""
        return np.ascontiguousarray(self.to_rgb()[:, :, ::-1])

    def to_rgb(self) -> npt.NDArray[Any]:
        """A copy as red, green, blue of 8 bits each: height, width, 3. Bayer formats need OpenCV, MJPEG OpenCV or
        Pillow."""
        from .conversion import to_rgb

        return to_rgb(self)

    def to_pil(self) -> PIL.Image.Image:
        """A copy as a Pillow image. Needs Pillow."""
        import PIL.Image

        return PIL.Image.fromarray(self.to_rgb())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it to a file: ``.npy`` as the array is; a MJPEG frame to ``.jpg`` as it came; all else as Pillow, or else
        OpenCV, writes the ending."""
        from .conversion import save

        save(self, path)

    def __repr__(self) -> str:
        return f"<frameshare.Image {self.name} {self.width}x{self.height} {self.format}>"


def image_of(lease: Lease, stream: str | None, writable: bool) -> Image:
    """The image of a frame's, or a slot's, stream; None: the first."""
    c = struct("image")
    find = lib.frameshare_slot_image if writable else lib.frameshare_frame_image
    check(find(lease.handle, ffi.NULL if stream is None else encoded(stream), c))
    return Image(lease, c, writable)
