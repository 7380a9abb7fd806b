"""Frames: leases on slots, with images, numbers and metadata."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ._native import Frame

__all__ = ["Frame", "FrameFlags", "Loss"]


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
    #: Whether these are all. False of the first frame after the subscriber connected again, and from then on in its statistics:
    #: nobody counts what is published while it has no connection.
    known: bool = True

    @property
    def total(self) -> int:
        """All that are known of: see ``known``."""
        return self.source + self.no_free_slot + self.policy

    def __str__(self) -> str:
        if self.known:
            return str(self.total)
        return f"{self.total} or more" if self.total else "unknown"
