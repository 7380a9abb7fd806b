"""Channels with another's frames and a group's answers."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest

import frameshare
from frameshare import Overlay, Publisher, Subscriber

from conftest import PATIENCE, until

STREAMS = {"main": (16, 8, "R8")}


@pytest.fixture
def publisher() -> Any:
    with Publisher("shown", STREAMS, slots=12) as publisher:
        yield publisher


def answering(reply: Any, policy: str = "queue:4") -> threading.Thread:
    """A member of the group "g" that answers every frame, until the channel ends."""
    subscriber = Subscriber("shown", policy=policy, group="g")

    def work() -> None:
        with subscriber:
            while (frame := subscriber.next()) is not None:
                with frame:
                    value = int(frame["main"].array[0, 0])
                    if value == 7:
                        frame.request.fail("no")
                    else:
                        frame.request.answer(reply(value))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_its_frames_are_the_publisher_s_memory_with_the_answers(publisher: Publisher) -> None:
    with Overlay(publisher, "over", "g", budget=6) as overlay:
        thread = answering(lambda value: {"value": value})
        with Subscriber("over", policy="queue:4") as shown, Subscriber("shown", policy="queue:4") as plain:
            publisher.wait_for_subscriber(3, PATIENCE)
            for value in (1, 2, 7, 8):
                publisher.publish(np.full((8, 16), value, np.uint8), metadata={"own": value})
                frame, original = shown.next(PATIENCE), plain.next(PATIENCE)
                assert frame is not None and original is not None
                with frame, original:
                    assert frame.metadata == {"own": value} | ({"value": value} if value != 7 else {})
                    assert (frame.sequence, frame.timestamp) == (original.sequence, original.timestamp)
                    images = (frame["main"], original["main"])
                    # The memfd has all slots: the place in it tells which.
                    places = [(os.fstat(image.fds[0]).st_ino, image.layout[0].offset) for image in images]
                    assert places[0] == places[1]
            statistics = overlay.statistics
            assert statistics.published == 4 and statistics.source_name == "shown with g"
            # What is held when it closes is taken back.
            publisher.publish(np.zeros((8, 16), np.uint8))
            held = shown.next(PATIENCE)
            assert held is not None
            overlay.close()
            overlay.close()
            assert held.revoked and shown.next(PATIENCE) is None
        with pytest.raises(frameshare.Released):
            overlay.statistics
    publisher.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_bytes_come_under_the_group_s_name_and_others_may_be_let_in(publisher: Publisher) -> None:
    with Overlay(publisher, "over", "g", mode=0o666):
        (channel,) = (channel for channel in frameshare.channels() if channel == "over")
        assert channel.mode == 0o666
        thread = answering(lambda value: b"seen")
        with Subscriber("over") as shown:
            publisher.wait_for_subscriber(2, PATIENCE)
            publisher.publish(np.zeros((8, 16), np.uint8))
            frame = shown.next(PATIENCE)
            assert frame is not None and frame.metadata["g"] == b"seen"
    publisher.close()
    thread.join(PATIENCE)


def test_it_ends_with_its_publisher(publisher: Publisher) -> None:
    overlay = Overlay(publisher, "over", "g")
    with Subscriber("over") as shown:
        publisher.close()
        assert shown.next(PATIENCE) is None
    del overlay
    until(lambda: "over" not in frameshare.channels())


def test_what_is_wrong_is_named(publisher: Publisher) -> None:
    with Overlay(publisher, "over", "g"), pytest.raises(frameshare.Refused):
        Overlay(publisher, "over2", "g")
    with pytest.raises(frameshare.ChannelInUse):
        Overlay(publisher, "shown", "g")
    with pytest.raises(frameshare.InvalidArgument):
        Overlay(publisher, "over", "a group")
    with pytest.raises(frameshare.InvalidArgument, match="budget"):
        Overlay(publisher, "over", "g", budget=0)
    with pytest.raises(TypeError, match="window"):
        Overlay(publisher, "over", "g", window=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="publisher"):
        Overlay("shown", "over", "g")  # type: ignore[arg-type]
    publisher.close()
    with pytest.raises(frameshare.Released):
        Overlay(publisher, "over", "g")


@pytest.mark.parametrize("slots", [2, 4, 8])
def test_a_small_pool_will_do(slots: int) -> None:
    with Publisher("shown", STREAMS, slots=slots) as publisher:
        thread = answering(lambda value: {"value": value}, "latest")
        with Overlay(publisher, "over", "g"), Subscriber("over", policy="queue:1") as shown:
            publisher.wait_for_subscriber(2, PATIENCE)
            for value in (1, 2, 3):
                publisher.wait_for_group("g", PATIENCE)
                publisher.publish(np.full((8, 16), value, np.uint8), timeout=PATIENCE)
                frame = shown.next(PATIENCE)
                assert frame is not None
                with frame:
                    assert frame.metadata == {"value": value}
    thread.join(PATIENCE)
