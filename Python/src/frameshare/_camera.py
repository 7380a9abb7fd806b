"""What is known of a picamera2 camera: its buffers as a pool, its configuration as streams, its metadata as typed values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Sequence

from . import errors
from .controls import Control, Setting
from .formats import Format
from .metadata import Rectangle, Size, Value, encode
from .streams import Stream

#: Controls that libcamera defines as rectangles, which picamera2 gives as plain tuples.
_RECTANGLES = frozenset({"ScalerCrop", "ScalerCrops", "AfWindows", "ScalerCropMaximum"})


@dataclass(frozen=True)
class CameraPool:
    """A configured camera's own buffers: a slot is what a request fills."""

    streams: list[Stream]
    #: (descriptor, kind of memory, size), as ``Publisher`` takes them.
    buffers: list[tuple[int, str, int]]
    count: int
    _slots: dict[int, int]
    _key_stream: Any

    def slot_of(self, request: Any) -> int | None:
        """The slot that a ``CompletedRequest`` has filled; None where its buffers are none of these."""
        buffer = request.request.buffers.get(self._key_stream)
        return None if buffer is None else self._slots.get(buffer.planes[0].fd)


def camera_pool(picam2: Any) -> CameraPool:
    """The streams as they were configured, and the descriptors of the buffers."""
    config = picam2.camera_configuration()
    if config is None:
        raise errors.FrameShareError("configure the camera before it is published: picam2.configure(...)")
    found: list[tuple[str, Any]] = []
    for name, stream in picam2.stream_map.items():
        if stream is not None:  # picamera2 lists lores and raw also where they are not wanted
            found.append((name, picam2.allocator.buffers(stream)))
    color = _color_space(config)
    streams = [_stream(name, config[name], color, each[0].planes) for name, each in found]
    count = min(len(each) for _, each in found)
    buffers: list[tuple[int, str, int]] = []
    slots: dict[int, int] = {}
    for slot in range(count):
        for _, each in found:
            buffers += [(fd, _kind(fd), size) for fd, size in _descriptors(each[slot].planes).items()]
        slots[found[0][1][slot].planes[0].fd] = slot
    return CameraPool(streams, buffers, count, slots, picam2.stream_map[found[0][0]])


def _descriptors(planes: Any) -> dict[int, int]:
    """The descriptors of an image, each once, and how many bytes of them it takes."""
    sizes: dict[int, int] = {}
    for plane in planes:
        # Planes in one descriptor that don't say where they begin lie one behind the other.
        end = sizes.get(plane.fd, 0) + plane.length
        sizes[plane.fd] = max(sizes.get(plane.fd, 0), _offset(plane) + plane.length if _offset(plane) else end)
    return sizes


def _offset(plane: Any) -> int:
    return int(getattr(plane, "offset", 0) or 0)


def _kind(fd: int) -> str:
    """What memory a descriptor is: picamera2's own allocators make dma-bufs, another may make memfds."""
    return "memfd" if os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:") else "dma-buf"


def _stream(name: str, config: dict[str, Any], color_space: str, planes: Any) -> Stream:
    """A stream as picamera2 configured it, with libcamera's stride: planes back to back in one buffer as picamera2's own
    allocators have them, or wherever libcamera says."""
    format = Format.named(config["format"])
    width, height = config["size"]
    stride, size = config["stride"], config["framesize"]
    if not format.planes:
        return Stream(name, width, height, format, ((0, 0, size, 0),), color_space)
    numbers = {fd: number for number, fd in enumerate(_descriptors(planes))}
    layout, offset = [], 0
    first = format.planes[0]
    for index, plane in enumerate(format.planes):
        # The further planes' strides follow from the first by the same factor as their rows' bytes.
        own = stride * plane.bytes_per_group // (first.bytes_per_group * plane.horizontal_subsampling)
        rows = -(-height // plane.vertical_subsampling)
        own = stride if plane is first else own
        buffer = 0
        if len(numbers) > 1 and index < len(planes):
            buffer, offset = numbers[planes[index].fd], _offset(planes[index])
        elif index < len(planes) and _offset(planes[index]):
            offset = _offset(planes[index])
        layout.append((offset, own, own * rows, buffer))
        offset += own * rows
    return Stream(name, width, height, format, tuple(layout), color_space)


def _color_space(config: dict[str, Any]) -> str:
    text = str(config.get("colour_space") or "unknown")  # None for USB cameras
    try:
        return Stream.computed("x", 2, 2, "R8", color_space=text).color_space
    except errors.FrameShareError:
        return "unknown"


#: libcamera's controls that take several, and how many numbers; picamera2 gives the limits of one.
_SEVERAL_RECTANGLES = frozenset({"ScalerCrops", "AfWindows"})
_COUNTS = {"ColourGains": 2, "FrameDurationLimits": 2, "ColourCorrectionMatrix": 9}


def controls(picam2: Any) -> list[Control]:
    """What libcamera says of the camera's controls, as picamera2 tells it."""
    return [_control(name, *limits) for name, limits in sorted(getattr(picam2, "camera_controls", {}).items())]


def _control(name: str, minimum: Any, maximum: Any, standard: Any) -> Control:
    known = [limit for limit in (minimum, maximum, standard) if limit is not None]
    if minimum == maximum:  # as libcamera says where it does not know
        minimum = maximum = None
    if name in _RECTANGLES:
        return Control(name, "rectangle", _rectangle(minimum), _rectangle(maximum), _rectangle(standard))
    for kind, types in (("boolean", bool), ("integer", int), ("number", (int, float)), ("text", str)):
        if known and all(isinstance(limit, types) for limit in known):
            return Control(name, kind, minimum, maximum, standard)
    return Control(name, "other", read_only=True)


def _rectangle(value: Any) -> Rectangle | None:
    return Rectangle(*value) if isinstance(value, tuple) and len(value) == 4 else None


def control_value(setting: Setting) -> Any:
    """What picamera2's ``set_controls`` takes: it believes what it is given, and the camera's thread would fail by it."""
    value = setting.value
    count, given = _COUNTS.get(setting.name, 1), len(value) if type(value) is tuple else 1
    if given != count:
        raise errors.InvalidArgument(f"'{setting.name}' takes {count} numbers, such as {','.join(['1'] * count)}")
    if isinstance(value, Rectangle):
        return [tuple(value)] if setting.name in _SEVERAL_RECTANGLES else tuple(value)
    return value


def typed_metadata(values: dict[str, Any]) -> dict[str, Value]:
    """picamera2's metadata; what no metadata type can hold is left out."""
    result: dict[str, Value] = {}
    for key, value in values.items():
        value = _value(key, value)
        try:
            encode(value)
        except (TypeError, ValueError):
            continue
        result[key] = value
    return result


def _value(key: str, value: Any) -> Any:
    if key in _RECTANGLES and isinstance(value, (tuple, list)):
        if value and isinstance(value[0], (tuple, list)):
            return [Rectangle(*item) for item in value]
        return Rectangle(*value)
    if isinstance(value, tuple) and len(value) > 64 and all(isinstance(v, int) and 0 <= v < 256 for v in value):
        # A blob, such as a Pi 5's statistics, which picamera2 gives as a tuple of numbers.
        return bytes(value)
    if isinstance(value, tuple) and not isinstance(value, (Rectangle, Size)):
        return list(value)
    return value


def plain_metadata(values: dict[str, Any]) -> dict[str, Any]:
    """The same as picamera2 gives it: tuples."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    return tuple(value) if isinstance(value, (tuple, bytes)) else value


def pool_of_requests(requests: Sequence[Any]) -> CameraPool:
    """The buffers that requests of one configuration hold, each once: also those that the camera itself has no more."""
    first = requests[0]
    names = [name for name, stream in first.stream_map.items() if stream is not None]
    color = _color_space(first.config)
    buffers: list[tuple[int, str, int]] = []
    slots: dict[int, int] = {}
    held: list[list[Any]] = []
    for request in requests:
        each = [request.request.buffers[first.stream_map[name]] for name in names]
        key = os.fstat(each[0].planes[0].fd).st_ino
        if key not in slots:
            slots[key] = len(held)
            held.append(each)
    for each in held:
        for buffer in each:
            buffers += [(fd, _kind(fd), size) for fd, size in _descriptors(buffer.planes).items()]
    streams = [_stream(name, first.config[name], color, buffer.planes) for name, buffer in zip(names, held[0])]
    return CameraPool(streams, buffers, len(held), {}, None)
