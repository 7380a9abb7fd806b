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

    @property
    def total(self) -> int:
        return self.source + self.no_free_slot + self.policy
