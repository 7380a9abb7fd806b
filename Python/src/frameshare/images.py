"""Images of frames: what the extension's ``Image`` leaves to Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import errors
from ._native import Image

if TYPE_CHECKING:
    import os

    import numpy as np
    import numpy.typing as npt
    import PIL.Image

    from .formats import Format

__all__ = ["Image", "PlaneLayout"]


@dataclass(frozen=True)
class PlaneLayout:
    """Where a plane lies, in bytes."""

    #: From the start of ``fd`` to its first pixel. Slots of a memfd share one descriptor, so this differs from slot to slot.
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


# What ``Image``'s methods and attributes of these names do.


def channel_order(format: Format, samples: int) -> str | None:
    """The order of an array's last axis, which has so many samples; 0: it has no such axis."""
    if format.color_model != "rgb" or format.is_compressed:
        return None
    names = format.planes[0].components
    return names if samples == len(names) else None


def to_bgr(image: Image) -> npt.NDArray[Any]:
    from .files import conversion

    result: npt.NDArray[Any] = conversion().np.ascontiguousarray(image.to_rgb()[:, :, ::-1])
    return result


def to_rgb(image: Image) -> npt.NDArray[Any]:
    from .files import conversion

    result: npt.NDArray[Any] = conversion().to_rgb(image)
    return result


def to_pil(image: Image) -> PIL.Image.Image:
    from .files import conversion

    result: PIL.Image.Image = conversion().to_pil(image)
    return result


def save(image: Image, path: str | os.PathLike[str]) -> None:
    from . import files

    files.save(image, path)


def misfit(content: Any, stream: str, type: str, shape: tuple[int, ...]) -> None:
    """Raises what says that an array does not fit an image."""
    import numpy as np

    source: np.ndarray[Any, Any] = np.asarray(content)
    raise errors.LayoutError(f"'{stream}' takes {np.dtype(type)} of shape {shape}, not {source.dtype} of shape {source.shape}")
