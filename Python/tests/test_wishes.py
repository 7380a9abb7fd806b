"""Frames as a program wants them: fewer, of another size, format, part or rotation."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import frameshare
from frameshare import Publisher, Subscriber

from conftest import PATIENCE

STREAMS = {"main": (64, 48, "RGB888")}


def send(publisher: Publisher, frames: range) -> None:
    """Frames that were captured 30 a second."""
    for frame in frames:
        pixels = np.full((48, 64, 3), frame % 256, np.uint8)
        publisher.publish(pixels, timestamp=1_000_000_000 + frame * 1_000_000_000 // 30)


def test_a_rate_gives_each_third_and_the_others_are_no_losses() -> None:
    with Publisher("camera", STREAMS, slots=16) as publisher:
        with Subscriber("camera", rate=10, policy="queue:12") as some:
            send(publisher, range(30))
            values = []
            for _ in range(10):
                with some.next(timeout=PATIENCE) as frame:  # type: ignore[union-attr]
                    values.append(int(frame["main"].array[0, 0, 0]))
            assert values == list(range(0, 30, 3))
            assert some.statistics.lost.total == 0 and some.statistics.passed_over == 18
            (status,) = publisher.statistics.subscribers
            assert status.passed_over == 20 and status.interval == 100_000_000


@pytest.mark.parametrize("rate", [0, -1, float("nan"), 1e9, float("inf")])
def test_a_rate_that_can_not_be_is_refused(rate: float) -> None:
    with Publisher("camera", STREAMS), pytest.raises(frameshare.InvalidArgument, match="frames a second"):
        Subscriber("camera", rate=rate)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"size": (0, 0)}, "width is 0"),
        ({"size": (100_000, 1)}, "width is 100000"),
        ({"size": (None, None)}, "give"),
        ({"size": (1, 2, 3)}, "give"),
        ({"format": "QQQQ"}, "can't be wished for"),
        ({"format": "MJPEG"}, "can't be wished for"),
        ({"rotate": 45}, "rotate is 45"),
        ({"crop": (0, 0, 0, 5)}, "crop_width is 0"),
        ({"size": (16_384, 16_384)}, "can't be wished for"),
    ],
)
def test_a_wish_that_can_not_be_is_refused(wish: dict[str, Any], words: str) -> None:
    with Publisher("camera", STREAMS), pytest.raises(frameshare.InvalidArgument, match=words):
        Subscriber("camera", **wish)


def test_a_stream_that_is_as_wanted_is_read_in_place() -> None:
    with Publisher("camera", {"main": (64, 48, "RGB888"), "small": (32, 24, "R8")}) as publisher:
        with Subscriber("camera", size=(32, 24), format="R8") as small:
            assert [stream.name for stream in small.streams] == ["small"]
            (status,) = publisher.statistics.subscribers
            assert status.pid == os.getpid()


def test_without_a_converter_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESHARE_COMMAND", "/nowhere/frameshare")
    with Publisher("camera", STREAMS), pytest.raises(frameshare.FrameShareError, match="FRAMESHARE_COMMAND"):
        Subscriber("camera", size=(8, 8))
    assert os.environ["FRAMESHARE_COMMAND"] == "/nowhere/frameshare"


def test_a_point_of_an_unconverted_frame_is_where_it_is() -> None:
    with Publisher("camera", STREAMS) as publisher, Subscriber("camera") as camera:
        send(publisher, range(1))
        with camera.next(timeout=PATIENCE) as frame:  # type: ignore[union-attr]
            assert frame.original_point(3, 4.5) == (3, 4.5)
