"""Numbers of any size are refused in words, or taken as the nearest that makes sense: none ends the program."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frameshare

WHOLE = [0, 1, -1, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**400]
TIMES = [0.0, 1e-300, -1.0, 1e-9, math.inf, -math.inf, math.nan, 1e308, -1e308, 2.0**63, 10**400, -(10**400)]
STREAMS = {"main": (16, 8, "R8")}


def tried(body: Callable[[], Any]) -> Any:
    """What comes of it; a refusal is as good. What is no error of the package's own fails the test."""
    try:
        return body()
    except frameshare.FrameShareError as error:
        assert str(error)
        return None


def publisher(name: str = "numbers", **options: Any) -> Any:
    return tried(lambda: frameshare.Publisher(name, STREAMS, **options))


def image() -> np.ndarray[Any, Any]:
    return np.zeros((8, 16), np.uint8)


@pytest.mark.parametrize("number", WHOLE)
@pytest.mark.parametrize(
    "option", ["slots", "mode", "metadata_capacity", "source_need", "copies", "copy_floor", "allowed_users", "copies_and_floor"]
)
def test_options_of_a_publisher(option: str, number: int) -> None:
    options: dict[str, Any] = {option: number}
    if option == "allowed_users":
        options = {option: [number]}
    if option == "copies_and_floor":
        options = {"copies": 2, "copy_floor": number}
    opened = publisher(**options)
    if opened is not None:
        opened.close()


@pytest.mark.parametrize("seconds", TIMES)
def test_times(seconds: float) -> None:
    for option in ("stall_limit", "lease_limit"):
        opened = publisher("limits", **{option: seconds})
        if opened is not None:
            opened.close()
    source = frameshare.Publisher("numbers", STREAMS)
    with source:
        for option in ("connect_timeout", "spin"):
            reader = tried(lambda: frameshare.Subscriber("numbers", **{option: seconds}))
            if reader is None:
                continue
            with reader:
                source.publish(image())
                # A frame is there: no time is waited for.
                frame = tried(lambda: reader.next(seconds))
                if frame is not None:
                    frame.release()
        tried(lambda: source.slot(seconds)).discard() if seconds == seconds else None
        for wait in (source.wait_for_room, source.drain):
            tried(lambda: wait(seconds))
        with frameshare.Subscriber("numbers", group="g"):
            pending = tried(lambda: source.ask("g", image(), deadline=seconds))
            # The publisher's own thread has looked at the deadline, and serves others still.
            with frameshare.Monitor("numbers") as monitor:
                assert monitor.statistics() is not None
            if pending is not None:
                tried(lambda: pending.result(0))
        if pending is not None:
            tried(lambda: pending.result(seconds))


@pytest.mark.parametrize("number", WHOLE)
def test_numbers_of_calls(number: int) -> None:
    with frameshare.Publisher("numbers", STREAMS) as source:
        for policy, budget in (("latest", number), (f"queue:{number}", None), ("every-frame", number)):
            reader = tried(lambda: frameshare.Subscriber("numbers", policy=policy, budget=budget))
            if reader is not None:
                reader.close()
        with frameshare.Subscriber("numbers") as reader:
            tried(lambda: source.publish(image(), timestamp=number))
            tried(lambda: source.publish(image(), sequence=number))
            tried(lambda: source.publish(image(), flags=number))
            tried(lambda: reader.next(0, after=number))
        for call in (
            lambda: source.publish_slot(number),
            lambda: source.publish_slot(0, bytes_used={"main": number}),
            lambda: source.ask_slot(number, "g"),
            lambda: source.give_back(number),
            lambda: source.count_lost(source=number),
            lambda: source.count_lost(no_free_slot=number),
            lambda: source.ask("g", image(), attempts=number),
            lambda: source.results("g", window=number).close(),
            lambda: source.results("g", capacity=number).close(),
            lambda: source.reconfigure(STREAMS, slots=number),
            lambda: source.reconfigure_buffers(STREAMS, [(number, "memfd", 128)] * 2, slots=2),
            lambda: source.reconfigure_buffers(STREAMS, [(0, "memfd", number)] * 2, slots=number),
            lambda: frameshare.Stream.computed("main", number, 8, "R8"),
            lambda: frameshare.Stream.computed("main", 8, 8, "R8", alignment=number),
            lambda: frameshare.Stream.opaque("main", 8, 8, "MJPEG", number),
        ):
            tried(call)
        assert source.statistics.published >= 0


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_full_budget_is_told_in_the_exception() -> None:
    with frameshare.Publisher("held", STREAMS) as source, frameshare.Subscriber("held", policy="queue:1") as reader:
        with pytest.raises(frameshare.TimedOut) as silent:
            reader.next(0)
        assert "you hold" not in str(silent.value)
        kept = []
        for _ in range(2):
            source.publish(image())
            frame = reader.next(60)
            assert frame is not None
            kept.append(frame["main"].array)
            frame.release()
        source.publish(image())
        with pytest.raises(frameshare.TimedOut, match="you hold 2 of 2 frames.*copy.*larger budget"):
            reader.next(0.01)
        del kept


def test_a_loop_that_keeps_arrays_warns_once() -> None:
    with frameshare.Publisher("kept", STREAMS) as source, frameshare.Subscriber("kept", policy="queue:1") as reader:
        kept = []

        def told(message: Warning | str, *_: Any, **__: Any) -> None:
            seen.append(str(message))
            # As whoever reads it would do.
            kept.clear()
            source.publish(image())

        seen: list[str] = []
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = told  # type: ignore[assignment]
            source.publish(image())
            for count, frame in enumerate(reader):
                kept.append(frame["main"].array)
                if count == 3:
                    break
                if len(kept) < 2 or count == 2:
                    source.publish(image())
                frame = None  # type: ignore[assignment]
        assert len(seen) == 1
        assert "'kept'" in seen[0] and "you hold 2 of 2 frames" in seen[0] and "array.copy()" in seen[0]
