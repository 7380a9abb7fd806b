"""Sharing a picamera2 camera: its own buffers, every completed request, nothing copied.

>>> from picamera2 import Picamera2
>>> import frameshare.picamera2
>>> picam2 = Picamera2()
>>> picam2.configure(picam2.create_video_configuration(buffer_count=8))
>>> sharing = frameshare.picamera2.publish(picam2, "camera0")
>>> picam2.start()

The streams have picamera2's names (main, lores, raw), the metadata libcamera's. A request goes back to the camera when no
subscriber holds its frame any more, whoever released it first; the camera always keeps ``source_need`` of its buffers, so
no subscriber can stop it.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from typing import Any, Callable

from . import errors
from .formats import Format
from .metadata import Rectangle, Size, Value, encode
from .publisher import Publisher
from .streams import Stream

_log = logging.getLogger("frameshare")

#: Controls that libcamera defines as rectangles, which picamera2 gives as plain tuples.
_RECTANGLES = frozenset({"ScalerCrop", "ScalerCrops", "AfWindows", "ScalerCropMaximum"})


class Sharing:
    """A camera that is being shared. ``close()`` ends it; the camera goes on."""

    def __init__(self, picam2: Any, channel: str, source_need: int, options: dict[str, Any]) -> None:
        self._picam2 = picam2
        self._lock = threading.Lock()
        # Requests whose frames are out, and which request's buffer is which slot.
        self._out: dict[int, Any] = {}
        self._slots: dict[int, int] = {}
        self._closed = False
        streams, buffers = self._register()
        self.publisher = Publisher(
            channel,
            streams,
            slots=len(self._slots),
            buffers=buffers,
            source_need=source_need,
            source_name=options.pop("source_name", _camera_name(picam2)),
            **options,
        )
        # Every slot is queued to the camera: it is the source's.
        self.publisher.take_free()
        self._earlier: Callable[[Any], None] | None = picam2.pre_callback
        picam2.pre_callback = self._completed
        self._stop, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._return_requests, name="frameshare-requests", daemon=True)
        self._thread.start()

    def _register(self) -> tuple[list[Stream], list[tuple[int, str, int]]]:
        """The streams, as they were configured, and the descriptors of the camera's own buffers."""
        config = self._picam2.camera_configuration()
        if config is None:
            raise errors.FrameShareError("configure the camera before it is published: picam2.configure(...)")
        allocated = self._picam2.allocator
        found: list[tuple[str, Any]] = []
        streams: list[Stream] = []
        for name, stream in self._picam2.stream_map.items():
            if stream is None:
                continue  # picamera2 lists lores and raw also where they are not wanted
            streams.append(_stream(name, config[name], _color_space(config)))
            found.append((name, allocated.buffers(stream)))
        count = min(len(each) for _, each in found)
        buffers: list[tuple[int, str, int]] = []
        for slot in range(count):
            for (_, each), stream in zip(found, streams):
                plane = each[slot].planes[0]
                # libcamera says where in the descriptor a plane begins; picamera2 allocates each image in one of its own.
                size = max(plane.length, sum(p.length for p in each[slot].planes))
                buffers.append((plane.fd, _kind(plane.fd), size))
            self._slots[found[0][1][slot].planes[0].fd] = slot
        self._key_stream = self._picam2.stream_map[found[0][0]]
        return streams, buffers

    def _completed(self, request: Any) -> None:
        """Publishes a request. picamera2 calls this on its camera thread, before anyone else sees the request."""
        if self._earlier is not None:
            self._earlier(request)
        slot = self._slots.get(request.request.buffers[self._key_stream].planes[0].fd)
        if slot is None or self._closed:
            return
        request.acquire()
        with self._lock:
            self._out[slot] = request
        try:
            # No longer than stall_limit, after which a recorder that does not keep up is cut off.
            self.publisher.wait_for_room()
            metadata = _metadata(request.get_metadata())
            timestamp = metadata.get("SensorTimestamp")
            self.publisher.publish_slot(
                slot,
                metadata=metadata,
                timestamp=timestamp if isinstance(timestamp, int) else None,
                clock="boottime",
                sequence=getattr(request.request, "sequence", None),
            )
            # What nobody holds goes back at once.
            self._collect()
        except errors.FrameShareError as error:
            # The camera's thread must go on: the frame is lost to subscribers, and its request goes back.
            if not self._closed:
                _log.error("a frame was not shared: %s", error)
                self.publisher.count_lost(source=1)
            self._release(slot)

    def _collect(self) -> None:
        for slot in self.publisher.take_free():
            self._release(slot)

    def _return_requests(self) -> None:
        """Gives requests back as their slots come free: at the publisher's word, and at least every 20 ms."""
        free = self.publisher.free_slot_fd()
        poll = select.poll()
        poll.register(free, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while not self._closed:
            for fd, _ in poll.poll(20):
                if fd == free:
                    os.read(free, 8)
            try:
                self._collect()
            except errors.Released:
                return

    def _release(self, slot: int) -> None:
        with self._lock:
            request = self._out.pop(slot, None)
        if request is not None:
            request.release()

    def close(self) -> None:
        """Ends the channel and gives all requests back. Twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._picam2.pre_callback = self._earlier
        os.write(self._wake, b"x")
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self.publisher.close()
        for slot in list(self._out):
            self._release(slot)
        os.close(self._stop)
        os.close(self._wake)

    def __enter__(self) -> Sharing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def publish(picam2: Any, channel: str = "camera0", *, source_need: int = 2, **options: Any) -> Sharing:
    """Shares a configured ``Picamera2`` as a channel, until the camera is configured anew.

    ``source_need`` is how many of its buffers the camera must always have; the rest, ``buffer_count`` less that, is what
    subscribers can hold together. ``options`` are those of ``Publisher``: mode, group, lease_limit and others.
    """
    return Sharing(picam2, channel, source_need, options)


def _kind(fd: int) -> str:
    """What memory a descriptor is: picamera2's own allocators make dma-bufs, another may make memfds."""
    return "memfd" if os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:") else "dma-buf"


def _stream(name: str, config: dict[str, Any], color_space: str) -> Stream:
    """A stream as picamera2 configured it: one buffer, planes back to back, libcamera's stride."""
    format = Format.named(config["format"])
    width, height = config["size"]
    stride, size = config["stride"], config["framesize"]
    if not format.planes:
        return Stream(name, width, height, format, ((0, 0, size, 0),), color_space)
    planes, offset = [], 0
    first = format.planes[0]
    for plane in format.planes:
        # The further planes' strides follow from the first by the same factor as their rows' bytes.
        own = stride * plane.bytes_per_group // (first.bytes_per_group * plane.horizontal_subsampling)
        rows = -(-height // plane.vertical_subsampling)
        own = stride if plane is first else own
        planes.append((offset, own, own * rows, 0))
        offset += own * rows
    return Stream(name, width, height, format, tuple(planes), color_space)


def _color_space(config: dict[str, Any]) -> str:
    text = str(config.get("colour_space") or "unknown")  # None for USB cameras
    try:
        return Stream.computed("x", 2, 2, "R8", color_space=text).color_space
    except errors.FrameShareError:
        return "unknown"


def _camera_name(picam2: Any) -> str:
    try:
        return f"picamera2 {picam2.camera_properties['Model']}"
    except (AttributeError, KeyError, TypeError):
        return "picamera2"


def _metadata(values: dict[str, Any]) -> dict[str, Value]:
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
