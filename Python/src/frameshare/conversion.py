"""Images as RGB, by numpy; OpenCV and Pillow where they are needed and installed."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import errors
from ._png import png

if TYPE_CHECKING:
    import PIL.Image

    from .images import Image

# Red's and blue's weight in luma, by the colour space's encoding (ITU-R BT.601, 709, 2020).
_LUMA = {2: (0.299, 0.114), 3: (0.2126, 0.0722), 4: (0.2627, 0.0593)}


def to_rgb(image: Image) -> npt.NDArray[Any]:
    """A copy as 8-bit RGB."""
    model = image.format.color_model
    if model == "rgb":
        return _rgb(image)
    if model == "yuv":
        return _yuv(image)
    if model == "compressed":
        return _decoded(image)
    if model == "grey":
        return np.repeat(_raw8(image)[:, :, None], 3, axis=2)
    if model == "bayer":
        return _debayered(image)
    raise errors.LayoutError(f"what {image.format} looks like is not known")


def _rgb(image: Image) -> npt.NDArray[Any]:
    array, names = image.planes[0], image.format.planes[0].components
    if array.ndim == 2:  # RGB565, red in the highest bits
        word = array.astype(np.uint16)
        red, green, blue = word >> 11, (word >> 5) & 63, word & 31
        parts = [(red * 255 + 15) // 31, (green * 255 + 31) // 63, (blue * 255 + 15) // 31]
        return np.stack(parts, axis=2).astype(np.uint8)
    rgb = array[:, :, [names.index(letter) for letter in "RGB"]]
    return (rgb >> 8).astype(np.uint8) if rgb.dtype.itemsize == 2 else np.ascontiguousarray(rgb)


def _yuv(image: Image) -> npt.NDArray[Any]:
    height, width = image.height, image.width
    samples: dict[str, npt.NDArray[Any]] = {}
    for plane, array in zip(image.format.planes, image.planes):
        if plane.pixels_per_group == 2:  # YUYV and its like: a chroma sample for two pixels
            flat = array.reshape(height, -1)
            for letter in "YUV":
                first = plane.components.index(letter)
                samples[letter] = flat[:, first :: 2 if letter == "Y" else 4]
            continue
        for i, letter in enumerate(plane.components):
            samples[letter] = array[:, :, i] if array.ndim == 3 else array
    full = {
        letter: sample.repeat(-(-height // sample.shape[0]), 0).repeat(-(-width // sample.shape[1]), 1)[:height, :width]
        for letter, sample in samples.items()
        if letter in "YUV"
    }
    _, _, encoding, extent = image._color_numbers
    red, blue = _LUMA.get(encoding, _LUMA[2])
    green = 1 - red - blue
    y, u, v = (full[letter].astype(np.float32) for letter in "YUV")
    if extent == 2:
        y, chroma = (y - 16) * (255 / 219), 255 / 224
    else:
        chroma = 1.0
    u, v = (u - 128) * chroma, (v - 128) * chroma
    r = y + 2 * (1 - red) * v
    b = y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / green
    return np.clip(np.stack([r, g, b], axis=2) + 0.5, 0, 255).astype(np.uint8)


def _raw8(image: Image) -> npt.NDArray[Any]:
    """A sensor's samples in 8 bits each."""
    array, format = image.planes[0], image.format
    if format.packing == "pisp_comp1":
        raise errors.LayoutError(f"{format} is compressed; save it as .npy, and decode it with libcamera's tools")
    if format.packing == "csi2":
        # The high 8 bits of a few pixels, then a byte or more of their low bits.
        pixels = {10: 4, 12: 2, 14: 4}[format.bit_depth]
        group = format.planes[0].bytes_per_group
        high = array.reshape(array.shape[0], -1, group)[:, :, :pixels]
        return np.ascontiguousarray(high.reshape(array.shape[0], -1)[:, : image.width])
    if array.dtype.itemsize == 1:
        return np.ascontiguousarray(array)
    return (array >> (format.bit_depth - 8)).astype(np.uint8)


def _debayered(image: Image) -> npt.NDArray[Any]:
    try:
        import cv2
    except ImportError as error:
        raise errors.MissingPackage("colours of a Bayer image need OpenCV: pip install opencv-python-headless") from error
    # OpenCV names a pattern by the second row's second and third samples.
    code = {"BGGR": "RG", "GBRG": "GR", "GRBG": "GB", "RGGB": "BG"}[image.format.bayer_order]
    result: npt.NDArray[Any] = cv2.cvtColor(_raw8(image), getattr(cv2, f"COLOR_BAYER_{code}2RGB"))
    return result


def _decoded(image: Image) -> npt.NDArray[Any]:
    if image.format.name != "MJPEG":
        raise errors.LayoutError(f"{image.format} is a stream, of which one frame is no image by itself")
    data = image.array
    try:
        import cv2

        result: npt.NDArray[Any] | None = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if result is None:
            raise errors.FrameShareError("the MJPEG frame can't be decoded: it is damaged")
        return np.ascontiguousarray(result[:, :, ::-1])
    except ImportError:
        pass
    import io

    pillow = _pillow("a MJPEG frame is decoded by Pillow or OpenCV, and neither is installed")
    try:
        return np.asarray(pillow.open(io.BytesIO(data.tobytes())).convert("RGB"))
    except OSError as error:
        raise errors.FrameShareError(f"the MJPEG frame can't be decoded: {error}") from error


def _pillow(why: str) -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise errors.MissingPackage(f"{why}: pip install 'frameshare[images]'") from error
    return PIL.Image


def to_pil(image: Image) -> PIL.Image.Image:
    """A copy as a Pillow image."""
    pillow = _pillow("a Pillow image needs Pillow, which is not installed (save() writes PNG without it)")
    result: PIL.Image.Image = pillow.fromarray(to_rgb(image))
    return result


def save(image: Image, path: str | os.PathLike[str], ending: str) -> None:
    """Writes an image to a file, by numpy, Pillow, or else OpenCV."""
    if ending == ".npy":
        np.save(path, image.array)
        return
    try:
        importlib.import_module("PIL.Image")
    except ImportError:
        _save_by_opencv(image, path, ending)
        return
    try:
        to_pil(image).save(path)
    except ValueError as error:  # an ending that it does not know
        raise errors.InvalidArgument(f"{os.fspath(path)!r} can't be written: {error}; .png and .npy always can") from error


def _save_by_opencv(image: Image, path: str | os.PathLike[str], ending: str) -> None:
    try:
        import cv2
    except ImportError as error:
        raise errors.MissingPackage(
            f"{ending} files are written by Pillow or OpenCV, which are not installed: pip install 'frameshare[images]'. "
            ".png and .npy need neither, and .jpg of a MJPEG frame"
        ) from error
    # Asked first: beside some other libraries, what OpenCV throws ends the process instead of reaching Python.
    if not cv2.haveImageWriter(os.fspath(path)):
        raise errors.InvalidArgument(
            f"{os.fspath(path)!r} can't be written: OpenCV knows no such ending; .png and .npy always can be"
        )
    written = cv2.imwrite(os.fspath(path), to_rgb(image)[:, :, ::-1])
    if not written:
        raise errors.FrameShareError(f"OpenCV could not write {os.fspath(path)!r}")


def png_of(image: Image) -> bytes:
    """A PNG file with all that the image has: 16 bits where it has more than 8, grey as grey, and alpha."""
    format = image.format
    significant = None
    if format.color_model == "grey" and format.packing == "none" and image.planes[0].dtype.itemsize == 2:
        bits = significant = format.bit_depth
        sample = image.planes[0].astype(np.uint16)
        # All of the range: white is 65535, whatever the depth.
        pixels = sample << (16 - bits) | sample >> max(0, 2 * bits - 16)
    elif format.color_model == "grey":
        pixels = _raw8(image)
    elif format.color_model == "rgb" and image.planes[0].ndim == 3:
        names = format.planes[0].components
        wanted = "RGBA" if "A" in names else "RGB"
        pixels = image.planes[0][:, :, [names.index(letter) for letter in wanted]]
    else:
        pixels = to_rgb(image)
    depth = 8 * pixels.dtype.itemsize
    rows = (row.tobytes() for row in pixels.astype(">u2" if depth == 16 else np.uint8))
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    return png(pixels.shape[1], pixels.shape[0], samples, depth, rows, significant)
