"""Arguments as the extension takes them, each checked: what is wrong is named."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

from . import errors
from ._native import encoded, nanoseconds

__all__ = ["LONGEST", "bounded", "encoded", "environment_rate", "frame_rate", "mapping", "names", "nanoseconds", "number", "positive", "seconds", "text", "whole"]

#: The longest time that means anything, in seconds: 146 years.
LONGEST = 2.0**62 / 1e9


def bounded(name: str, seconds: float) -> float:
    """A time that can be counted with: nothing below 0, nothing beyond the longest. ``InvalidArgument`` for a NaN."""
    return nanoseconds(name, seconds) / 1e9


def whole(name: str, number: int, least: int = 0, most: int = 2**32 - 1) -> int:
    """A whole number that C's type holds; ``InvalidArgument`` for others, ``TypeError`` for what is none."""
    try:
        number = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {type(number).__name__} ({number!r})") from None
    if not least <= number <= most:
        raise errors.InvalidArgument(f"{name} is {number}; it can be {least} to {most}")
    return number


def seconds(name: str, value: float) -> float:
    """A length of time: a number of seconds, 0 or more."""
    checked = number(name, value, "a number of seconds")
    if math.isnan(checked) or checked < 0:
        raise errors.InvalidArgument(f"{name} is {value!r}; give 0 seconds or more")
    return checked


def positive(name: str, value: float, unit: str) -> float:
    """A number of more than 0."""
    checked = number(name, value, f"a number of {unit}")
    if not 0 < checked < math.inf:
        raise errors.InvalidArgument(f"{name} is {value!r}; give {unit}, more than 0")
    return checked


def frame_rate(name: str, value: float) -> float:
    """Frames a second that a subscriber can ask for."""
    checked = number(name, value, "a number of frames a second")
    if not 1 / 3600 <= checked <= 10_000:
        raise errors.InvalidArgument(f"{name} is {value!r}; ask for 1/3600 (one an hour) to 10000 frames a second")
    return checked


def environment_rate(value: str) -> float:
    """What ``frameshare workers --rate`` asks for."""
    try:
        return frame_rate("FRAMESHARE_RATE", float(value))
    except ValueError:
        raise errors.InvalidArgument(f"FRAMESHARE_RATE is {value!r}; it is a number of frames a second") from None


def number(name: str, value: Any, wanted: str) -> float:
    """A number of any size; a text is none."""
    try:
        if isinstance(value, (str, bytes, bytearray)):  # float() would read them, which hides a mistake
            raise TypeError
        return float(value)
    except TypeError:
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__} ({value!r})") from None
    except OverflowError:
        return math.inf if int(value) > 0 else -math.inf


def mapping(name: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values by their names."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, of values by their names, not {type(value).__name__} ({value!r})")
    return value


def names(name: str, value: Iterable[str] | None) -> tuple[str, ...]:
    """Several names; None: none."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be a list of names, such as ['main'], not {type(value).__name__} ({value!r})")
    return tuple(text(f"a name in {name}", one) for one in value or ())


def text(name: str, value: str) -> str:
    """A text without a zero byte."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__} ({value!r})")
    if "\0" in value:
        raise errors.InvalidArgument(f"{name} has a zero byte in it, which is not possible")
    return value
