"""The C library: loading it, calling it, and its errors as exceptions.

cffi's ABI mode: one wheel serves every Python from 3.11 on, and cffi lets other threads run during each call.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from . import errors
from ._abi import ffi as _ffi

ffi: Any = _ffi


def _load() -> Any:
    beside = os.path.join(os.path.dirname(__file__), "libframeshare.so.0")
    return ffi.dlopen(beside if os.path.exists(beside) else "libframeshare.so.0")


lib: Any = _load()

OK, ENDED, NO_FRAME, NOT_FOUND = 0, 1, 2, 3

_EXCEPTIONS: dict[int, type[errors.FrameShareError]] = {
    lib.FRAMESHARE_ERROR_INVALID_ARGUMENT: errors.InvalidArgument,
    lib.FRAMESHARE_ERROR_INVALID_HANDLE: errors.Released,
    lib.FRAMESHARE_ERROR_CLOSED: errors.Released,
    lib.FRAMESHARE_ERROR_FORKED: errors.Forked,
    lib.FRAMESHARE_ERROR_CHANNEL_IN_USE: errors.ChannelInUse,
    lib.FRAMESHARE_ERROR_LAYOUT: errors.LayoutError,
    lib.FRAMESHARE_ERROR_NO_SUCH_CHANNEL: errors.NoSuchChannel,
    lib.FRAMESHARE_ERROR_NOT_ALLOWED: errors.NotAllowed,
    lib.FRAMESHARE_ERROR_REFUSED: errors.Refused,
    lib.FRAMESHARE_ERROR_NO_SUCH_STREAM: errors.NoSuchStream,
    lib.FRAMESHARE_ERROR_TIMED_OUT: errors.TimedOut,
    lib.FRAMESHARE_ERROR_PUBLISHER_LOST: errors.PublisherLost,
    lib.FRAMESHARE_ERROR_SOURCE_FAILED: errors.SourceFailed,
    lib.FRAMESHARE_ERROR_DISCONNECTED: errors.Disconnected,
    lib.FRAMESHARE_ERROR_NO_WORKER: errors.NoWorker,
    lib.FRAMESHARE_ERROR_BUSY: errors.Busy,
    lib.FRAMESHARE_ERROR_WITHDRAWN: errors.Withdrawn,
    lib.FRAMESHARE_ERROR_WORKER_FAILED: errors.WorkerFailed,
    lib.FRAMESHARE_ERROR_WORKER_LOST: errors.WorkerLost,
    lib.FRAMESHARE_ERROR_DEADLINE: errors.DeadlinePassed,
    lib.FRAMESHARE_ERROR_CANCELLED: errors.Cancelled,
    lib.FRAMESHARE_ERROR_PASSED_OVER: errors.PassedOver,
}


def exception(code: int, message: str) -> errors.FrameShareError:
    """What stands for an error."""
    return _EXCEPTIONS.get(code, errors.FrameShareError)(message, code)


def check(result: int) -> int:
    """Passes a result on; raises what stands for an error."""
    if result >= 0:
        return result
    raise exception(result, text(lib.frameshare_last_error()))


def text(characters: Any) -> str:
    """A C string."""
    return str(ffi.string(characters).decode("utf-8", "replace"))


@lru_cache(maxsize=None)
def _struct_type(name: str) -> tuple[Any, int]:
    return ffi.typeof(f"struct frameshare_{name} *"), ffi.sizeof(f"struct frameshare_{name}")


def struct(name: str) -> Any:
    """A zeroed struct with its size set."""
    kind, size = _struct_type(name)
    value = ffi.new(kind)
    value.struct_size = size
    return value


def encoded(value: str | os.PathLike[str]) -> bytes:
    """Text or a path for C, which ends it at a zero byte."""
    data = os.fspath(value).encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise errors.InvalidArgument("a text with a zero byte in it is not possible")
    return data


#: The longest time that means anything, in seconds: 146 years.
LONGEST = 2.0**62 / 1e9


def bounded(seconds: float) -> float:
    """A time that can be counted with: nothing below 0, nothing beyond the longest. ``InvalidArgument`` for a NaN."""
    if seconds != seconds:
        raise errors.InvalidArgument("a time of NaN seconds is not possible")
    return float(min(max(seconds, 0.0), LONGEST))


def nanoseconds(seconds: float | None) -> int:
    """A timeout in seconds as C has it; None waits for ever."""
    return -1 if seconds is None else int(bounded(seconds) * 1e9)


def whole(name: str, number: int, least: int = 0, most: int = 2**32 - 1) -> int:
    """A number that C's type holds; ``InvalidArgument`` for others."""
    if not least <= number <= most:
        raise errors.InvalidArgument(f"{name} is {number}; it can be {least} to {most}")
    return number
