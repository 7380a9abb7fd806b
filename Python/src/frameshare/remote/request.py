"""What a worker process sees of a request."""

from __future__ import annotations

import importlib
import io
import mmap
import os
import pickle
from functools import cached_property
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import errors
from .._camera import plain_metadata
from ..frames import Frame
from ..images import Image
from .arena import Arena
from .configuration import restored, with_libcamera
from .writable import PrivateImages, copied, forget_writes

if TYPE_CHECKING:
    import PIL.Image

#: Metadata keys of our own begin so.
OWN_KEYS = "frameshare."
#: The camera's configuration; and what `run` is called with, together with metadata that are too large for the frame.
CONFIGURATION, ARGUMENTS = OWN_KEYS + "configuration", OWN_KEYS + "arguments"


class RemoteMappedArray:
    """An array over a stream's pixels, for as long as the block lasts.

    >>> with RemoteMappedArray(request, "main") as m:
    ...     look(m.array)

    It can be written to: what is written is this request's, in this process, and what ``make_image`` and ``save`` give after
    that; the camera's buffer and other readers are not touched. Nothing is copied but the pages that are written to. Of
    dma-bufs, which no Linux maps so, ``m.array[...] = value`` copies the image the first time; ``m.array`` is the copy from
    then on. What writes in another way, such as OpenCV, needs ``copy=True`` there, which copies the image at once.
    """

    def __init__(self, request: RemoteRequest, stream_name: str, *, copy: bool = False) -> None:
        self._request = request
        self._stream_name = stream_name
        self._copy = copy
        self._array: npt.NDArray[Any] | None = None

    def __enter__(self) -> RemoteMappedArray:
        self._map(self._copy)
        return self

    def _map(self, copy: bool) -> None:
        self._array = shaped(self._request._writable_image(self._stream_name, copy))
        if not self._array.flags.writeable:
            array = self._array.view(_CopiedWhenWritten)
            array.mapped, self._array = self, array

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._array = None

    @property
    def array(self) -> npt.NDArray[Any] | None:
        """The array; None outside of the block."""
        return self._array


class _CopiedWhenWritten(np.ndarray[Any, Any]):
    """An array over memory that can't be written to. An assignment to it goes to a copy of the image."""

    mapped: RemoteMappedArray | None = None

    def __setitem__(self, key: Any, value: Any) -> None:
        mapped = self.mapped
        if mapped is None or mapped.array is None or self.flags.writeable:
            super().__setitem__(key, value)
            return
        if mapped.array is self:
            mapped._map(copy=True)
        mapped.array[key] = value

    def __getitem__(self, key: Any) -> Any:
        mapped = self.mapped
        if mapped is None or mapped.array is None or mapped.array is self:
            return super().__getitem__(key)
        return mapped.array[key]


class RemoteRequest:
    """A request, in a worker process. It is the camera's again once ``run`` has returned."""

    def __init__(
        self, frame: Frame, camera: dict[str, Any], arena: Arena | None = None, images: PrivateImages | None = None
    ) -> None:
        #: The frame: ``sequence``, ``timestamp``, ``lost`` and others.
        self.frame = frame
        self._camera, self._arena, self._images = camera, arena, images
        self._metadata: dict[str, Any] | None = None
        self._private: dict[str, Image] = {}
        self._mapped: list[mmap.mmap] = []

    @cached_property
    def config(self) -> dict[str, Any]:
        """The camera's configuration, a copy for each request."""
        data = self.frame.get(CONFIGURATION)
        return with_libcamera(pickle.loads(data)) if data else {}

    @cached_property
    def _arguments(self) -> tuple[dict[str, Any], dict[str, Any]]:
        place = self.frame.get(ARGUMENTS)
        if not place or self._arena is None:
            return {}, {}
        kwargs, large = self._arena.get(place)
        return kwargs, large

    @property
    def _kwargs(self) -> dict[str, Any]:
        return self._arguments[0]

    def get_metadata(self) -> dict[str, Any]:
        """What libcamera said of the request."""
        if self._metadata is None:
            typed = {key: value for key, value in self.frame.metadata.items() if not key.startswith(OWN_KEYS)}
            large = {key: restored(value) for key, value in self._arguments[1].items()}
            self._metadata = plain_metadata(typed) | large
        return self._metadata

    def get_config(self) -> dict[str, Any]:
        """The camera's configuration."""
        return self.config

    def make_buffer(self, stream_name: str) -> npt.NDArray[np.uint8]:
        """A copy of a stream's bytes, padding included."""
        image = self._image(stream_name)
        if len(image.layout) == 1:
            return np.frombuffer(image.buffer, np.uint8).copy()
        return np.array(whole(image)).reshape(-1)

    def make_array(self, stream_name: str) -> npt.NDArray[Any]:
        """A copy of a stream's pixels."""
        with RemoteMappedArray(self, stream_name) as m:
            return np.array(m.array, order="C")

    def make_image(self, stream_name: str) -> PIL.Image.Image:
        """A copy as a Pillow image."""
        return self._image(stream_name).to_pil()

    def save(
        self,
        file_output: str | os.PathLike[str] | io.BytesIO,
        name: str = "main",
        format_str: str | None = None,
        exif_data: dict[str, Any] | None = None,
    ) -> None:
        """Saves an image, with picamera2's Exif data and qualities."""
        self._helpers().save(self.make_image(name), self.get_metadata(), file_output, format_str, exif_data)

    def save_dng(self, file_output: str | os.PathLike[str] | io.BytesIO, name: str = "raw") -> None:
        """Saves a raw stream as a DNG file."""
        helpers = self._helpers()
        try:
            helpers.save_dng(self.make_buffer(name), self.get_metadata(), self.config[name], file_output)
        except TypeError as error:
            if "Picamera2Camera" not in str(error) and "DNG" not in str(error):
                raise
            raise RuntimeError(
                f"the installed PiDNG does not fit this picamera2, whose own save_dng fails in the same way: {error}. Raspberry"
                " Pi OS's python3-pidng fits its python3-picamera2"
            ) from error

    def _helpers(self) -> Any:
        # picamera2's own code for Exif and DNG, which needs no camera.
        Helpers: Any = importlib.import_module("picamera2.request").Helpers
        camera = SimpleNamespace(id=self._camera["id"])
        return Helpers(
            SimpleNamespace(
                camera=camera, options=self._camera["options"], camera_properties=self._camera["camera_properties"]
            )
        )

    def _image(self, stream_name: str) -> Image:
        if stream_name in self._private:
            return self._private[stream_name]
        try:
            return self.frame[stream_name]
        except errors.NoSuchStream as error:
            raise RuntimeError(f"Stream {stream_name!r} is not defined") from error

    def _writable_image(self, stream_name: str, copy: bool) -> Image:
        """The stream's image over memory of this request's own; in place where that needs a copy which is not asked for."""
        image = self._image(stream_name)
        if stream_name in self._private or image.format.name == "MJPEG":
            return image
        private = None if copy or self._images is None else self._images.of(image, self.frame.generation)
        if private is not None:
            self._private[stream_name] = private[0]
            self._mapped.append(private[1])
        elif copy:
            self._private[stream_name] = copied(image)
        return self._private.get(stream_name, image)

    def _end(self) -> None:
        """Gives the frame back, and forgets what was written to it."""
        self._private = {}
        for memory in self._mapped:
            forget_writes(memory)
        self._mapped = []
        self.frame.release()


def shaped(image: Image) -> npt.NDArray[Any]:
    """An image as an array in place, with the shape that picamera2's ``make_array`` gives it: padding stays in planar and
    raw formats, and is left out of RGB. MJPEG is decoded, which makes a copy."""
    format = image.format
    if format.name == "MJPEG":
        import PIL.Image

        return np.array(PIL.Image.open(io.BytesIO(image.buffer)))
    if format.color_model == "yuv" and len(image.layout) > 1:
        array = whole(image)
        return array[:, : image.width] if len(image.layout) == 2 else array
    if format.color_model == "rgb" or format.is_compressed or not format.planes:
        return image.array
    stride = next(iter(image.layout)).stride
    rows = np.frombuffer(image.buffer, np.uint8)[: image.height * stride].reshape(image.height, stride)
    if format.color_model == "yuv":
        return rows.reshape(image.height, stride // 2, 2)
    return rows


def whole(image: Image) -> npt.NDArray[np.uint8]:
    """All planes one below the other, in rows of the first one's stride. In place, unless they are in several buffers."""
    if len({plane.buffer for plane in image.layout}) == 1:
        return image.array
    stride = image.layout[0].stride
    parts: list[npt.NDArray[np.uint8]] = []
    for array, plane in zip(image.planes, image.layout):
        # As rows of the first plane's stride, of which a half one, and less, may make up one row.
        padded = np.zeros((array.shape[0], plane.stride), np.uint8)
        flat = array.reshape(array.shape[0], -1)
        padded[:, : flat.shape[1]] = flat
        parts.append(padded.reshape(-1))
    return np.concatenate(parts).reshape(-1, stride)
