"""What a worker process sees of a request."""

from __future__ import annotations

import io
import os
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import errors
from .._camera import plain_metadata
from ..frames import Frame
from ..images import Image

if TYPE_CHECKING:
    import PIL.Image

#: Metadata keys of our own begin so.
OWN_KEYS = "frameshare."


class RemoteMappedArray:
    """An array over a stream's pixels, in place, for as long as the block lasts.

    >>> with RemoteMappedArray(request, "main") as m:
    ...     look(m.array)
    """

    def __init__(self, request: RemoteRequest, stream_name: str) -> None:
        self._request = request
        self._stream_name = stream_name
        self._array: npt.NDArray[Any] | None = None

    def __enter__(self) -> RemoteMappedArray:
        self._array = shaped(self._request._image(self._stream_name))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._array = None

    @property
    def array(self) -> npt.NDArray[Any] | None:
        """The array; None outside of the block."""
        return self._array


class RemoteRequest:
    """A request, in a worker process. It is the camera's again once ``run`` has returned."""

    def __init__(self, frame: Frame, config: dict[str, Any], camera: dict[str, Any]) -> None:
        #: The frame: ``sequence``, ``timestamp``, ``lost`` and others.
        self.frame = frame
        #: The camera's configuration.
        self.config = config
        self._camera = camera
        self._metadata: dict[str, Any] | None = None

    def get_metadata(self) -> dict[str, Any]:
        """What libcamera said of the request."""
        if self._metadata is None:
            typed = {key: value for key, value in self.frame.metadata.items() if not key.startswith(OWN_KEYS)}
            self._metadata = plain_metadata(typed)
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
        helpers.save_dng(self.make_buffer(name), self.get_metadata(), self.config[name], file_output)

    def _helpers(self) -> Any:
        # picamera2's own code for Exif and DNG, which needs no camera.
        from picamera2.request import Helpers

        camera = SimpleNamespace(id=self._camera["id"])
        return Helpers(
            SimpleNamespace(
                camera=camera, options=self._camera["options"], camera_properties=self._camera["camera_properties"]
            )
        )

    def _image(self, stream_name: str) -> Image:
        try:
            return self.frame[stream_name]
        except errors.NoSuchStream as error:
            raise RuntimeError(f"Stream {stream_name!r} is not defined") from error


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
    stride = image.layout[0].stride
    rows = np.frombuffer(image.buffer, np.uint8)[: image.height * stride].reshape(image.height, stride)
    if format.color_model == "yuv":
        return rows.reshape(image.height, stride // 2, 2)
    return rows


def whole(image: Image) -> npt.NDArray[np.uint8]:
    """All planes one below the other, in rows of the first one's stride. In place, unless they are in several buffers."""
    if len({plane.buffer for plane in image.layout}) == 1:
        return image.array
    stride = image.layout[0].stride
    parts = []
    for array, plane in zip(image.planes, image.layout):
        # As rows of the first plane's stride, of which a half one, and less, may make up one row.
        padded = np.zeros((array.shape[0], plane.stride), np.uint8)
        flat = array.reshape(array.shape[0], -1)
        padded[:, : flat.shape[1]] = flat
        parts.append(padded.reshape(-1))
    return np.concatenate(parts).reshape(-1, stride)
