"""The channel that a pool's requests go through: a camera's own buffers, and who of the workers gets which."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from typing import Any

from .._camera import CameraPool, camera_pool, typed_metadata
from ..groups import Pending
from ..publisher import Publisher
from .child import CHANNEL, GROUP, KWARGS, KWARGS_FILE, path_of_configuration, portable

# The most arguments that travel with a frame; more go through a file.
_INLINE = 64 << 10


class CameraChannel:
    """A channel in a folder of its own. Used under the dispatcher's lock."""

    def __init__(self, picam2: Any) -> None:
        self._picam2 = picam2
        self._pool: CameraPool | None = None
        self._configured: Any = None
        #: Counts the camera's configurations, as frames have it.
        self.generation = 1
        self.directory = tempfile.mkdtemp(prefix="frameshare-pool-", dir=_short_folder())
        # Until a request says what the camera's buffers are, one that carries nothing.
        self.publisher = Publisher(
            CHANNEL, {"none": (2, 2, "R8")}, slots=4, directory=self.directory, source_name="picamera2 pool",
            metadata_capacity=256 << 10,
        )

    def slot_of(self, request: Any) -> int:
        """The slot of a request's buffers, which are registered where the camera was configured anew."""
        configured = getattr(request, "configure_count", 0)
        if configured != getattr(self._picam2, "configure_count", configured):
            raise ValueError("this request is from before the camera was configured anew")
        if self._pool is None or configured != self._configured:
            self._register(request)
            self._configured = configured
        assert self._pool is not None
        slot = self._pool.slot_of(request)
        if slot is None:
            raise ValueError("this request's buffers are not those of the camera of this pool")
        return slot

    def _register(self, request: Any) -> None:
        pool = camera_pool(self._picam2)
        # All of the camera's slots may be out at the same time, and one must be at the source: the first one's buffers
        # stand for it once more, and are never published from there.
        each = len(pool.buffers) // pool.count
        spare = max(1, 3 - pool.count)
        buffers = pool.buffers + pool.buffers[:each] * spare
        # Workers read it once for all frames of these buffers.
        with open(path_of_configuration(self.directory, self.generation + 1), "wb") as file:
            pickle.dump(portable(request.config), file)
        self.publisher.reconfigure_buffers(pool.streams, buffers, slots=pool.count + spare)
        self.publisher.take_free()
        self.generation += 1
        self._pool = pool

    def metadata(self, request: Any, kwargs: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
        """What goes with a request's frame, and the file that the arguments are in, if they are large."""
        metadata: dict[str, Any] = dict(typed_metadata(request.get_metadata()))
        blob = pickle.dumps(kwargs) if kwargs else b""
        if len(blob) <= _INLINE:
            return (metadata | {KWARGS: blob} if blob else metadata), None
        number, path = tempfile.mkstemp(dir=self.directory)
        with os.fdopen(number, "wb") as output:
            output.write(blob)
        return metadata | {KWARGS_FILE: path}, path

    def ask(self, slot: int, request: Any, metadata: dict[str, Any]) -> Pending:
        """Gives a request to one of the workers. How long they may take is the dispatcher's to watch."""
        timestamp = metadata.get("SensorTimestamp")
        return self.publisher.ask_slot(
            slot,
            GROUP,
            deadline=None,
            metadata=metadata,
            timestamp=timestamp if isinstance(timestamp, int) else None,
            clock="boottime",
            sequence=getattr(request.request, "sequence", None),
        )

    def close(self) -> None:
        self.publisher.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def _short_folder() -> str | None:
    # A socket's path has 107 bytes at most.
    return None if len(tempfile.gettempdir()) < 70 else "/tmp"
