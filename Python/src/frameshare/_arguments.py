"""Arguments as the extension takes them."""

from __future__ import annotations

from . import errors
from ._native import encoded, nanoseconds

__all__ = ["LONGEST", "bounded", "encoded", "nanoseconds", "whole"]

#: The longest time that means anything, in seconds: 146 years.
LONGEST = 2.0**62 / 1e9


def bounded(seconds: float) -> float:
    """A time that can be counted with: nothing below 0, nothing beyond the longest. ``InvalidArgument`` for a NaN."""
    return nanoseconds(seconds) / 1e9


def whole(name: str, number: int, least: int = 0, most: int = 2**32 - 1) -> int:
    """A number that C's type holds; ``InvalidArgument`` for others."""
    if not least <= number <= most:
        raise errors.InvalidArgument(f"{name} is {number}; it can be {least} to {most}")
    return number
