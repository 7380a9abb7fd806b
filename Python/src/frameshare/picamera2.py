"""Sharing a picamera2 camera: its own buffers, every completed request, nothing copied.

>>> from picamera2 import Picamera2
>>> import frameshare.picamera2
>>> picam2 = Picamera2()
>>> picam2.configure(picam2.create_video_configuration(buffer_count=8))
>>> sharing = frameshare.picamera2.publish(picam2, "camera0")
>>> picam2.start()

The streams have picamera2's names (main, lores, raw), the metadata libcamera's. A request goes back to the camera when no
subscriber holds its frame any more, whoever released it first; the camera always keeps ``source_need`` of its buffers, so
no subscriber can stop it. Its controls are the channel's: `frameshare control camera0 ExposureTime=8000`, or
``frameshare.Monitor("camera0").set_control("ExposureTime", 8000)``, in any process of the publisher's user.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from typing import Any, Callable

from . import errors
from ._camera import camera_pool, control_value, controls, typed_metadata
from .publisher import Publisher

_log = logging.getLogger("frameshare")


class Sharing:
    """A camera that is being shared. ``close()`` ends it; the camera goes on."""

    def __init__(self, picam2: Any, channel: str, source_need: int, options: dict[str, Any]) -> None:
        self._picam2 = picam2
        self._lock = threading.Lock()
        # Requests whose frames are out, by slot.
        self._out: dict[int, Any] = {}
        self._closed = False
        self._pool = camera_pool(picam2)
        self.publisher = Publisher(
            channel,
            self._pool.streams,
            slots=self._pool.count,
            buffers=self._pool.buffers,
            source_need=source_need,
            source_name=options.pop("source_name", _camera_name(picam2)),
            **options,
        )
        self._settings = self.publisher.offer_controls(controls(picam2))
        # Every slot is queued to the camera: it is the source's.
        self.publisher.take_free()
        self._earlier: Callable[[Any], None] | None = picam2.pre_callback
        picam2.pre_callback = self._completed
        self._stop, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._return_requests, name="frameshare-requests", daemon=True)
        self._thread.start()
        self._setter = threading.Thread(target=self._set_controls, name="frameshare-controls", daemon=True)
        self._setter.start()

    def _completed(self, request: Any) -> None:
        """Publishes a request. picamera2 calls this on its camera thread, before anyone else sees the request."""
        if self._earlier is not None:
            self._earlier(request)
        slot = self._pool.slot_of(request)
        if slot is None or self._closed:
            return
        request.acquire()
        with self._lock:
            self._out[slot] = request
        try:
            # No longer than stall_limit, after which a recorder that does not keep up is cut off.
            self.publisher.wait_for_room()
            metadata = typed_metadata(request.get_metadata())
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

    def _set_controls(self) -> None:
        """Sets what others ask for. picamera2 gives it to the camera with its next request."""
        for setting in self._settings:
            try:
                self._picam2.set_controls({setting.name: control_value(setting)})
                setting.accept()
            except Exception as error:  # whatever the camera raises is the asker's to know, and no end of this thread
                setting.refuse(str(error))

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
        if threading.current_thread() is not self._setter:
            self._setter.join()
        self._settings.close()
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


def _camera_name(picam2: Any) -> str:
    try:
        return f"picamera2 {picam2.camera_properties['Model']}"
    except (AttributeError, KeyError, TypeError):
        return "picamera2"
