"""Frames: leases on slots, with images, numbers and metadata."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import errors, metadata
from ._library import NOT_FOUND, check, encoded, ffi, lib, struct, text
from .groups import Request, request_of
from .images import Image, Lease, image_of

_CLOCKS = ("unknown", "monotonic", "boottime", "realtime")


class FrameFlags(enum.IntFlag):
    """What is particular about a frame."""

    #: The data may be damaged.
    ERROR = 1
    #: Exposure and white balance have not settled.
    STARTUP = 2
    #: The first frame after a break in the source, or after the subscriber connected again.
    DISCONTINUITY = 4
    #: A compressed frame that can be decoded alone.
    KEYFRAME = 8


@dataclass(frozen=True)
class Loss:
    """Frames that were lost, by where."""

    #: By the source itself: gaps in its sequence.
    source: int
    #: For want of a free slot.
    no_free_slot: int
    #: By this subscriber's own policy, budget, or share of the pool.
    policy: int

    @property
    def total(self) -> int:
        return self.source + self.no_free_slot + self.policy


class Frame:
    """A frame that this process holds. ``frame["main"].array`` is its image, in the very memory the camera wrote.

    It is given back by ``release()``, at the end of a ``with`` block, by the ``for`` loop that it came from, or when
    nothing refers to it. Arrays that were taken of it keep the slot leased as long as they live; the frame itself, and
    its images, can't be used once it was released.
    """

    def __init__(self, handle: Any) -> None:
        self._lease: Lease | None = Lease(handle, lib.frameshare_frame_release)

    def _held(self) -> Lease:
        if self._lease is None:
            raise errors.Released("this frame was released")
        return self._lease

    def __getitem__(self, stream: str) -> Image:
        lease = self._held()
        for image in lease.images:
            if image.name == stream:
                return image
        return image_of(lease, stream, writable=False)

    def image(self) -> Image:
        """The image of the first stream."""
        return image_of(self._held(), None, writable=False)

    def __contains__(self, stream: object) -> bool:
        return stream in self.streams

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of the streams that were subscribed to."""
        names, image, index = [], struct("image"), 0
        while check(lib.frameshare_frame_image_at(self._held().handle, index, image)) != NOT_FOUND:
            names.append(text(image.stream))
            index += 1
        return tuple(names)

    @cached_property
    def _info(self) -> Any:
        info = struct("frame_info")
        check(lib.frameshare_frame_get_info(self._held().handle, info))
        return info

    @property
    def number(self) -> int:
        """Counts the channel's published frames from 1."""
        return int(self._info.number)

    @property
    def sequence(self) -> int:
        """The source's own count; its gaps are frames that the source lost."""
        return int(self._info.sequence)

    @property
    def timestamp(self) -> int:
        """When it was captured, in nanoseconds on ``clock``."""
        return int(self._info.timestamp)

    @property
    def clock(self) -> str:
        """The timestamp's clock: "monotonic", "boottime" (libcamera), "realtime" or "unknown"."""
        number: int = self._info.clock
        return _CLOCKS[number] if number < len(_CLOCKS) else "unknown"

    @property
    def publish_timestamp(self) -> int:
        """When it was published, in nanoseconds on the monotonic clock (``time.monotonic_ns()``)."""
        return int(self._info.publish_timestamp)

    @property
    def generation(self) -> int:
        """Counts the channel's reconfigurations, from 1."""
        return int(self._info.generation)

    @property
    def flags(self) -> FrameFlags:
        """What is particular about it."""
        return FrameFlags(int(self._info.flags))

    @property
    def lost(self) -> Loss:
        """What was lost since the frame before it."""
        return Loss(self._info.lost_source, self._info.lost_no_free_slot, self._info.lost_policy)

    @property
    def revoked(self) -> bool:
        """Whether the publisher has taken the frame back meanwhile. Ask after reading: as long as it is false, what was
        read is what was published."""
        result = ffi.new("int *")
        check(lib.frameshare_frame_is_revoked(self._held().handle, result))
        return bool(result[0])

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What came with it, under libcamera's names. The dictionary may be kept."""
        return metadata.read(self._held().handle)

    def get(self, key: str, default: Any = None) -> Any:
        """One metadata value, without decoding the others."""
        entry = ffi.new("struct frameshare_entry *")
        if check(lib.frameshare_frame_metadata(self._held().handle, encoded(key), entry)) == NOT_FOUND:
            return default
        return metadata.decode(entry.type, bytes(ffi.buffer(entry.data, entry.size)) if entry.size else b"")

    @cached_property
    def request(self) -> Request | None:
        """The publisher's wish for an answer to it; None unless the subscriber is a member of a group."""
        return request_of(self._held().handle, self.number)

    @property
    def released(self) -> bool:
        return self._lease is None

    def release(self) -> None:
        """Gives it back. A second time does nothing."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.void_images()

    def __enter__(self) -> Frame:
        self._held()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        if self._lease is None:
            return "<frameshare.Frame, released>"
        return f"<frameshare.Frame {self.number}: {', '.join(self.streams)}>"
