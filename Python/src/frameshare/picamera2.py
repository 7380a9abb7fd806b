"""Sharing a picamera2 camera: its own buffers, every completed request, nothing copied.

>>> from picamera2 import Picamera2
>>> import frameshare.picamera2
>>> picam2 = Picamera2()
>>> picam2.configure(picam2.create_video_configuration(buffer_count=8))
>>> sharing = frameshare.picamera2.publish(picam2, "camera0")
>>> picam2.start()

The streams have picamera2's names (main, lores, raw), the metadata libcamera's. A request goes back to the camera when no
subscriber holds its frame any more, whoever released it first; the camera always keeps ``source_need`` of its buffers, so
no subscriber can stop it. Sharing follows each ``configure`` and ``switch_mode`` by a new generation, and needs nothing of
what users set: ``pre_callback`` and ``post_callback`` are theirs, and what they draw is shared.

What a subscriber holds does not change: not while the camera runs, nor over ``stop`` and ``start`` or a reconfiguration. A
buffer whose frame is held is queued to the camera only when it is released. (What the camera's own program writes to a
request that it has captured, it writes to the shared frame.)

The camera's controls are the channel's: `frameshare control camera0 ExposureTime=8000`, or
``frameshare.Monitor("camera0").set_control("ExposureTime", 8000)``, in any process of the publisher's user.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from dataclasses import dataclass, field
from typing import Any

from . import errors
from ._arguments import whole
from ._camera import CameraPool, camera_pool, control_value, controls, typed_metadata
from ._tap import Tap
from ._waiting import interrupts_held, join
from .metadata import Encoded, encode, encoded_size
from .publisher import Publisher

_log = logging.getLogger("frameshare")

#: Room for metadata is taken in steps of so many bytes.
_STEP = 65536


@dataclass
class _Generation:
    """The channel's generation for one configuration of the camera."""

    pool: CameraPool
    #: Whether its frames are copied into slots of ordinary memory.
    copies: bool
    #: The channel's count; 0 where it could not be made.
    number: int = 0
    #: Requests whose frames are out, by slot.
    out: dict[int, Any] = field(default_factory=dict[int, Any])


#: Any whole number, whose bounds are looked at elsewhere.
_ANY = (-(2**63), 2**63)


class Sharing:
    """A camera that is being shared. ``close()`` ends it; the camera goes on."""

    def __init__(
        self,
        picam2: Any,
        channel: str,
        source_need: int,
        ring: int | None,
        metadata_capacity: int,
        metadata_limit: int,
        options: dict[str, Any],
    ) -> None:
        source_need = whole("source_need", source_need)
        if ring is not None and not 0 <= whole("ring", ring, *_ANY) <= 1000:
            raise errors.InvalidArgument(f"a ring of {ring} frames is not possible; ask for 1 to 1000, 0 never copies")
        if options.pop("stall_limit", 0) != 0:
            raise errors.InvalidArgument("a camera waits for nobody: leave stall_limit out, and give a slow reader a larger budget")
        if not 0 < whole("metadata_limit", metadata_limit, *_ANY) <= 16 << 20:
            raise errors.InvalidArgument(f"metadata_limit={metadata_limit} is not possible; ask for 1 to {16 << 20} bytes")
        self._picam2 = picam2
        # Guards the requests that are out; taken last of all, after picamera2's own locks too.
        self._lock = threading.Lock()
        # Held while a generation begins, and while slots are taken of one.
        self._changing = threading.Lock()
        self._closed, self._pid = False, os.getpid()
        self._ring, self._source_need = ring, 1 if ring else source_need
        self._room, self._limit = min(whole("metadata_capacity", metadata_capacity), metadata_limit), metadata_limit
        # What was said in the log already.
        self._said: set[str] = set()
        pool = camera_pool(picam2)
        self._now = _Generation(pool, self._copies(pool))
        # Generations whose frames are still held.
        self._before: list[_Generation] = []
        buffers = None if self._now.copies else pool.buffers
        self.publisher = Publisher(
            channel,
            pool.streams,
            slots=self._slots(0) if self._now.copies else pool.count,
            buffers=buffers,
            source_need=self._source_need,
            source_name=options.pop("source_name", _camera_name(picam2)),
            metadata_capacity=self._room,
            keep_misfits=options.pop("keep_misfits", True),
            # The camera's thread waits for nobody: a subscriber without room loses the frame.
            stall_limit=0,
            **options,
        )
        self._begin()
        self._settings = self.publisher.offer_controls(controls(picam2))
        self._stop, self._wake = os.pipe()
        self._tap = Tap.of(picam2)
        self._tap.add(self)
        self._thread = threading.Thread(target=self._return_requests, name="frameshare-requests", daemon=True)
        self._thread.start()
        self._setter = threading.Thread(target=self._set_controls, name="frameshare-controls", daemon=True)
        self._setter.start()

    # The camera's thread

    def completed(self, request: Any) -> None:
        """Publishes a request. The tap calls this on picamera2's camera thread, before jobs and encoders see the request."""
        if self._closed:
            return
        if not self._is_current(request):
            # Its buffers may be queued to the camera again.
            self._lose(source=1)
            return
        try:
            if request.configure_count != self._now.pool.configuration:
                self._follow()
            if self._now.number == 0:
                self._lose(source=1)
                return
            left_out: list[str] = []
            metadata = self._fitting(typed_metadata(request.get_metadata(), left_out))
            for sentence in left_out:
                self._say(f"metadata {sentence}")
            if self._now.copies:
                self._publish_copy(request, metadata)
            else:
                self._publish(request, metadata)
        except Exception as error:
            # The camera's thread must go on: the frame is lost to subscribers, and its request goes back.
            if not self._closed:
                self._say(f"frames are not shared: {error}")
                self._lose(source=1)

    def _is_current(self, request: Any) -> bool:
        """Whether the camera has been neither stopped nor configured since the request was queued."""
        picam2 = self._picam2
        stops = getattr(request, "stop_count", None)
        return bool(
            request.configure_count == picam2.configure_count and (stops is None or stops == picam2.stop_count)
        )

    def _publish(self, request: Any, metadata: dict[str, Encoded | int | float]) -> None:
        generation = self._now
        slot = generation.pool.slot_of(request)
        if slot is None:
            raise errors.FrameShareError("a request has buffers that are not those of the camera's configuration")
        # Before the lock: it takes picamera2's own lock of requests, under which the tap asks what is held.
        request.acquire()
        with self._lock:
            is_held = slot in generation.out
            if not is_held:
                generation.out[slot] = request
        if is_held:
            request.release()
            raise errors.FrameShareError("the camera was given a buffer that subscribers still read")
        try:
            self.publisher.publish_slot(
                slot, metadata=metadata, bytes_used=generation.pool.bytes_used(request), **_description(request, metadata)
            )
        except errors.FrameShareError:
            self._release(generation, slot)
            raise
        # What nobody holds goes back at once.
        self._collect()

    def _publish_copy(self, request: Any, metadata: dict[str, Encoded | int | float]) -> None:
        pool = self._now.pool
        source = pool.slot_of(request)
        if source is None:
            raise errors.FrameShareError("a request has buffers that are not those of the camera's configuration")
        slot = self.publisher.try_slot()
        if slot is None:
            self._lose(no_free_slot=1)
            return
        try:
            used = pool.bytes_used(request)
            for stream in pool.streams:
                pool.copy(source, stream.name, slot[stream.name], used.get(stream.name))
                if stream.name in used:
                    slot.set_bytes_used(stream.name, used[stream.name])
            slot.metadata.update(metadata)
            for name, value in _description(request, metadata).items():
                setattr(slot, name, value)
        except BaseException:
            slot.discard()
            raise
        slot.publish()

    def _fitting(self, metadata: dict[str, Encoded | int | float]) -> dict[str, Encoded | int | float]:
        """Metadata that the slots have room for: they are made larger, up to the limit, or the largest values left out."""
        size = encoded_size(metadata)
        left_out: list[str] = []
        if size > self._limit:
            lengths = {key: len(encode(value).data) for key, value in metadata.items()}
            # Of those of one size the last ones.
            for key in sorted(reversed(lengths), key=lambda key: lengths[key], reverse=True):
                if size <= self._limit:
                    break
                size -= encoded_size({key: metadata.pop(key)})
                left_out.append(key)
        if left_out:
            self._say(
                f"metadata of more than {self._limit} bytes: {_names(left_out)} left out; "
                "give frameshare.picamera2.publish a larger metadata_limit"
            )
        if size > self._room:
            # A quarter more than is needed now, for what grows.
            self._room = min(self._limit, -(-size * 5 // 4 // _STEP) * _STEP)
            self._change(_Generation(self._now.pool, self._now.copies))
        return metadata

    # Generations

    def _copies(self, pool: CameraPool) -> bool:
        """Whether frames of a configuration are copied: so it was asked for, or no buffer would be left to share."""
        return self._ring != 0 and (self._ring is not None or pool.count <= self._source_need)

    def _slots(self, reserved: int) -> int:
        """How many slots a pool of copies has. One is being filled."""
        return max(2, self._source_need + max(self._ring or 1, reserved))

    def _follow(self) -> None:
        """Goes over to the camera's new configuration."""
        pool = camera_pool(self._picam2)
        self._said.clear()
        self._change(_Generation(pool, self._copies(pool)))

    def _change(self, new: _Generation) -> None:
        """Begins a generation. What is held of the one before stays as it is."""
        pool, publisher = new.pool, self.publisher
        with self._changing:
            with self._lock:
                self._before.append(self._now)
                self._now = new
            if new.copies:
                slots = self._slots(publisher.statistics.slots_reserved)
                publisher.reconfigure(pool.streams, slots=slots, metadata_capacity=self._room)
            else:
                publisher.reconfigure_buffers(
                    pool.streams, pool.buffers, slots=pool.count, metadata_capacity=self._room
                )
            self._begin()

    def _begin(self) -> None:
        self._now.number = self.publisher.generation
        if not self._now.copies:
            # Every slot is queued to the camera: it is the source's.
            self.publisher.take_free()

    def holds(self, buffers: Any) -> bool:
        """Whether subscribers read what a request would fill."""
        with self._lock:
            for generation in [self._now, *self._before]:
                if generation.out and generation.pool.slot_of_buffers(buffers) in generation.out:
                    return True
        return False

    # Giving requests back

    def _collect(self) -> None:
        with self._changing:
            generation = self._now
            if not generation.copies and generation.number:
                for slot in self.publisher.take_free():
                    self._release(generation, slot)
            for earlier in list(self._before):
                held = self.publisher.held_slots(earlier.number) if earlier.out else frozenset[int]()
                for slot in set(earlier.out) - held:
                    self._release(earlier, slot)
                if not earlier.out:
                    with self._lock:
                        self._before.remove(earlier)
        self._tap.resume()

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
            except Exception as error:
                # The camera needs its other requests.
                self._say(f"requests could not be given back to the camera: {error}")

    def _set_controls(self) -> None:
        """Sets what others ask for. picamera2 gives it to the camera with its next request."""
        for setting in self._settings:
            try:
                self._picam2.set_controls({setting.name: control_value(setting)})
                setting.accept()
            except Exception as error:  # whatever the camera raises is the asker's to know, and no end of this thread
                setting.refuse(str(error))

    def _release(self, generation: _Generation, slot: int) -> None:
        # A start asks for what is held under the same lock: it never sees a buffer as free whose request is still to go back.
        with self._tap.turning:
            with self._lock:
                request = generation.out.pop(slot, None)
            if request is None:
                return
            try:
                request.release()
            except Exception as error:
                # Those of other requests go back all the same.
                self._say(f"a request could not be given back to the camera: {error}")

    def _lose(self, **counts: int) -> None:
        try:
            self.publisher.count_lost(**counts)
        except errors.Released:
            pass  # closed meanwhile

    def _say(self, message: str) -> None:
        """Logs it, once for each configuration of the camera."""
        if message not in self._said:
            self._said.add(message)
            _log.error("%s", message)

    def closing(self) -> None:
        """The camera is about to be closed: its channel ends."""
        self._end(revoke=False)

    def closed(self) -> None:
        """The camera is closed: what is held of it stays as it is."""
        self._give_back()

    def close(self) -> None:
        """Ends the channel and gives all requests back to the camera: frames that subscribers still hold are revoked before
        it can write to them. Twice does nothing."""
        # In the middle Ctrl-C would leave requests that nobody gives back.
        with interrupts_held():
            if self._end(revoke=True):
                self._give_back()

    def _end(self, revoke: bool) -> bool:
        if os.getpid() != self._pid:
            return False  # a fork of the program: the camera and its threads are its parent's
        with self._lock:
            if self._closed:
                return False
            self._closed = True
        os.write(self._wake, b"x")
        if threading.current_thread() is not self._thread:
            join(self._thread)
        self.publisher.close(revoke=revoke)
        if threading.current_thread() is not self._setter:
            join(self._setter)
        self._settings.close()
        os.close(self._stop)
        os.close(self._wake)
        return True

    def _give_back(self) -> None:
        for generation in [self._now, *self._before]:
            for slot in list(generation.out):
                self._release(generation, slot)
        self._tap.remove(self)

    def __enter__(self) -> Sharing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def publish(
    picam2: Any,
    channel: str = "camera0",
    *,
    source_need: int = 2,
    ring: int | None = None,
    metadata_capacity: int = 65536,
    metadata_limit: int = 4 << 20,
    **options: Any,
) -> Sharing:
    """Shares a configured ``Picamera2`` as a channel, until ``close()`` of the sharing or of the camera.

    ``source_need`` is how many of its buffers the camera must always have; the rest, ``buffer_count`` less that, is what
    subscribers can hold together. With ``ring``, frames are copied into so many slots of ordinary memory, and subscribers
    never hold a buffer of the camera: for cameras with few buffers, and slow readers. A configuration with no buffer to
    spare, such as picamera2's for stills with its one, is shared by copies in any case; ``ring=0`` leaves it out.

    Metadata that need more than ``metadata_capacity`` bytes, such as an AI camera's tensors, get more room by a new
    generation, up to ``metadata_limit``; beyond it the largest values are left out. So is what no type of metadata holds, such
    as a dictionary. Both are logged. A subscriber to
    streams that a configuration lacks waits for one that has them. Other ``options`` are those of ``Publisher``: mode,
    group, lease_limit, copies and others.
    """
    return Sharing(picam2, channel, source_need, ring, metadata_capacity, metadata_limit, options)


def _names(keys: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(keys) - 8} more" if len(keys) > 8 else ""
    return ", ".join(keys[:8]) + more


def _description(request: Any, metadata: dict[str, Encoded | int | float]) -> dict[str, Any]:
    stamp = metadata.get("SensorTimestamp")
    return {
        "timestamp": stamp if isinstance(stamp, int) else None,
        "clock": "boottime",
        "sequence": getattr(request.request, "sequence", None),
    }


def _camera_name(picam2: Any) -> str:
    try:
        return f"picamera2 {picam2.camera_properties['Model']}"
    except (AttributeError, KeyError, TypeError):
        return "picamera2"
