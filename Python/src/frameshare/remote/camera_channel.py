"""The channel that a pool's requests go through: a camera's own buffers, and who of the workers gets which."""

from __future__ import annotations

import pickle
import weakref
from contextlib import ExitStack
from typing import Any, Sequence, cast

import numpy as np

from .. import errors
from .._camera import RECTANGLES, CameraPool, camera_pool, is_key, pool_of_requests, typed_metadata
from .._native import inode
from ..groups import Pending, Results, ask_options
from ..metadata import Rectangle, entry_size
from ..publisher import Publisher
from .arena import Arena
from .carrying import unpicklable
from .child import CHANNEL, GROUP
from .configuration import is_exact, is_large, packed, portable
from .folder import Folder
from .held import HeldBuffers
from .job import Job
from .request import ARGUMENTS, CONFIGURATION

# What the metadata of a frame may take: typed values, a configuration, arguments. Larger values are in the arena.
_CAPACITY, _LARGEST_BYTES, _TYPED = 256 << 10, 64 << 10, 128 << 10


class NumberedCameras:
    """Numbers that no other camera has had."""

    def __init__(self) -> None:
        self._numbers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._last = 0

    def number(self, picam2: Any) -> int:
        if picam2 not in self._numbers:
            self._last += 1
            self._numbers[picam2] = self._last
        return self._numbers[picam2]


class CameraChannel:
    """A channel in a folder of its own. Used under the dispatcher's lock."""

    def __init__(self) -> None:
        with ExitStack() as made:  # a channel that can't be made leaves nothing behind
            self._folder = Folder()
            made.callback(self._folder.remove)
            self.directory = self._folder.path
            self.arena = Arena()
            made.callback(self.arena.close)
            self._held = HeldBuffers()
            #: The configuration of the present generation's buffers, and their slots, by what they are.
            self._configured: Any = None
            self._slots: dict[tuple[int, int], int] = {}
            self._configurations: dict[Any, bytes] = {}
            self._cameras = NumberedCameras()
            #: Counts the changes of buffers, as frames have it.
            self.generation = 1
            # Until a request says what the camera's buffers are, one that carries nothing.
            self.publisher = Publisher(
                CHANNEL, {"none": (2, 2, "R8")}, slots=4, directory=self.directory, source_name="picamera2 pool",
                metadata_capacity=_CAPACITY,
            )
            made.pop_all()

    # Buffers

    def job_of(self, request: Any, kwargs: dict[str, Any]) -> Job:
        """What is to be done with a request. Whatever can't be sent raises here."""
        if getattr(request, "request", None) is None:
            was = "was released, and is the camera's again" if hasattr(request, "request") else "is none of picamera2's"
            raise errors.InvalidArgument(f"this {type(request).__name__} {was}: send what capture_request() gives, before its release()")
        camera = self._cameras.number(request.picam2)
        configured = camera, getattr(request, "configure_count", 0)
        if configured not in self._configurations:
            pool_of_requests([request])  # formats and layouts that nobody knows are refused at once
            # Of a camera that is being configured anew there are requests of both configurations.
            self._configurations = dict(list(self._configurations.items())[-3:])
            self._configurations[configured] = pickle.dumps(portable(request.config))
        metadata, large = _divided(request.get_metadata())
        metadata[CONFIGURATION] = self._configurations[configured]
        place = None
        if kwargs or large:
            try:
                place = metadata[ARGUMENTS] = self.arena.put((kwargs, large))
            except errors.FrameShareError:
                raise
            except Exception as error:
                raise unpicklable(kwargs, error) from error
        return Job(request, configured, buffer_of(request), metadata, place, self._held)

    def slot_of(self, job: Job) -> int | None:
        """The slot of a request's buffers; None where those of the present generation are others."""
        return self._slots.get(job.buffer) if job.configured == self._configured else None

    def change_to(self, jobs: Sequence[Job]) -> None:
        """Makes another generation: of all of the camera's buffers where the first request is of its present
        configuration, or else of those of the requests themselves, which hold what the camera has no more."""
        pool, slots = self._pool_of(jobs)
        # All of a camera's slots may be out at the same time, and one must be at the source: the first one's buffers
        # stand for it once more, and are never published from there.
        each = len(pool.buffers) // pool.count
        spare = max(1, 3 - pool.count)
        buffers = pool.buffers + pool.buffers[:each] * spare
        self.publisher.reconfigure_buffers(pool.streams, buffers, slots=pool.count + spare)
        self.publisher.take_free()
        self.generation += 1
        self._configured, self._slots = jobs[0].configured, slots

    def _pool_of(self, jobs: Sequence[Job]) -> tuple[CameraPool, dict[tuple[int, int], int]]:
        first = jobs[0]
        picam2 = first.request.picam2
        if getattr(picam2, "configure_count", 0) == getattr(first.request, "configure_count", 0):
            try:
                pool = camera_pool(picam2)
                slots = _slots(pool)
                if first.buffer in slots:
                    return pool, slots
            except (errors.FrameShareError, KeyError, OSError, RuntimeError, AttributeError, TypeError, ValueError):
                pass  # it is being configured at this moment
        pool = pool_of_requests([job.request for job in jobs if job.configured == first.configured])
        return pool, _slots(pool)

    # Frames

    def ask(self, slot: int, job: Job) -> Pending:
        """Gives a request to one of the workers. How long they may take is the dispatcher's to watch."""
        timestamp = job.metadata.get("SensorTimestamp")
        return self.publisher._ask_slot(
            slot,
            GROUP,
            _NO_DEADLINE,
            metadata=job.metadata,
            timestamp=timestamp if isinstance(timestamp, int) else None,
            clock="boottime",
            sequence=getattr(job.request.request, "sequence", None),
        )

    def results(self) -> Results:
        """What becomes of the requests, as it comes."""
        return self.publisher.results(GROUP, capacity=1 << 20, deadline=None)

    def close(self) -> None:
        self.publisher.close()
        self._held.close()
        self._folder.remove()
        self.arena.close()


def buffer_of(request: Any) -> tuple[int, int]:
    """What a request's buffer is: its inode, which is nobody else's while somebody holds it. Descriptors' numbers are used
    again."""
    stream = next(stream for stream in request.stream_map.values() if stream is not None)
    return inode(request.request.buffers[stream].planes[0].fd)


def was_given_away(request: Any) -> bool:
    """Whether the camera was started again with the request's buffer since it was captured: picamera2 queues all buffers of a
    configuration when it starts, also those of requests that a program holds. To be asked once the request is kept."""
    picam2, stops = request.picam2, getattr(request, "stop_count", None)
    if stops is None or getattr(request, "configure_count", 0) != getattr(picam2, "configure_count", 0):
        return False
    # A camera that was stopped, and not started yet, has not touched it.
    return bool(picam2.stop_count - stops > (0 if picam2.started else 1))


def _slots(pool: CameraPool) -> dict[tuple[int, int], int]:
    each = len(pool.buffers) // pool.count
    return {inode(pool.buffers[slot * each][0]): slot for slot in range(pool.count)}


_NO_DEADLINE = ask_options(None)
# Of so many numbers or characters at most, and so many of them, metadata have room in a frame.
_SHORT, _FEW = 64, 64
_BEYOND = 1 << 63
#: Names that metadata can have.
_keys: set[str] = set()


def _divided(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata that go with a frame, and those that are too large for that."""
    if len(values) > _FEW:
        return _divided_by_size(values)
    plain: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for key, value in values.items():
        kind = cast("type[object]", type(value))
        if key not in _keys and not _is_known(key):
            other[key] = value
        elif kind is float or kind is bool or (kind is int and -_BEYOND <= value < _BEYOND):
            plain[key] = value
        elif kind is tuple and 0 < len(value) <= _SHORT and _are_numbers(value):
            if key not in RECTANGLES:
                plain[key] = value  # the extension writes it
            elif len(value) == 4 and type(value[0]) is int and 0 <= min(value) and max(value) < 1 << 31:
                plain[key] = Rectangle(*value)
            else:
                other[key] = value
        elif kind is str and value.isascii() and len(value) <= _SHORT:
            plain[key] = value
        else:
            other[key] = value
    if not other:
        return plain, other
    typed, large = _divided_by_size(other)
    return plain | typed, large


def _is_known(key: str) -> bool:
    if is_key(key):
        if len(_keys) > 1000:
            _keys.clear()  # a program makes them up
        _keys.add(key)
    return key in _keys


def _are_numbers(values: tuple[Any, ...]) -> bool:
    kinds = set(map(type, values))
    return kinds == {float} or (kinds == {int} and -_BEYOND <= min(values) and max(values) < _BEYOND)


def _divided_by_size(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same for values of any kind and size."""
    small = {key: value for key, value in values.items() if is_key(key) and not is_large(value)}
    typed = dict(typed_metadata(small))
    large: dict[str, Any] = {}
    room, typed_room = _LARGEST_BYTES, _TYPED
    metadata: dict[str, Any] = {}
    for key, value in values.items():
        if key in typed and is_exact(value):
            size = entry_size(key, typed[key])
            if size <= typed_room:
                typed_room -= size
            else:
                # Many of them: the rest has no room in the frame.
                large[key] = packed(value)
                del typed[key]
            continue
        if key in small or not is_key(key):
            # What a program has put there arrives as it is too.
            typed.pop(key, None)
            if _can_be_pickled(value):
                large[key] = None, value
            continue
        kind, content = packed(value)
        if is_key(key) and kind is not None and content.dtype == np.uint8 and content.size <= room:
            # As a Pi 5's statistics are: every reader of the channel gets these.
            metadata[key], room = content.tobytes(), room - content.size
        else:
            large[key] = kind, content
    return typed | metadata, large


def _can_be_pickled(value: Any) -> bool:
    try:
        pickle.dumps(value)
        return True
    except Exception:
        return False
