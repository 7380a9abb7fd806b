"""Copies of a channel as another channel."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import frameshare
from frameshare import Publisher, Rectangle, Subscriber

from conftest import PATIENCE, until

STREAMS = {"main": (64, 48, "R8"), "lores": (16, 8, "R8")}


@pytest.fixture
def publisher() -> Any:
    # It waits for those that want every frame: nothing is lost on a slow machine.
    with Publisher("camera", STREAMS, slots=4, stall_limit=None) as publisher:
        yield publisher


def test_copies_are_cut_out_and_hold_nothing_of_the_camera(publisher: Publisher) -> None:
    copies = frameshare.relay(
        "camera", streams=["main"], crops={"main": Rectangle(8, 4, 32, 16)}, slots=40, policy="every-frame"
    )
    with copies, Subscriber("camera-copy", policy="queue:30") as reader:
        (stream,) = copies.streams
        assert (stream.name, stream.width, stream.height) == ("main", 32, 16)
        assert copies.slots == 40 and copies.bytes == 40 * copies.bytes_per_frame
        # Four slots, and nothing is read.
        for value in range(30):
            images = {"main": np.full((48, 64), value, np.uint8), "lores": np.zeros((8, 16), np.uint8)}
            publisher.publish(images, metadata={"value": value}, timeout=PATIENCE)
        for value in range(30):
            frame = reader.next(PATIENCE)
            assert frame is not None
            with frame:
                assert frame["main"].array.shape == (16, 32) and (frame["main"].array == value).all()
                assert frame.metadata == {"value": value} and frame.number == value + 1
        until(lambda: copies.statistics.copied == 30)  # counted after it was published
        done = copies.statistics
        assert (done.copied, done.no_room, done.lost.total, done.bytes) == (30, 0, 0, 30 * 512)


def test_it_ends_as_its_channel_does(publisher: Publisher) -> None:
    async def program() -> None:
        stage = frameshare.relay("camera", "copy")
        waiting = asyncio.ensure_future(stage)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(frameshare.TimedOut):
            stage.wait(0.01)
        publisher.fail("the cable is out")
        with pytest.raises(frameshare.SourceFailed, match="the cable is out"):
            await stage
        stage.close()
        stage.close()
        for call in (stage.wait, stage.stop, stage.fileno):
            with pytest.raises(frameshare.Released):
                call()

    asyncio.run(asyncio.wait_for(program(), PATIENCE))


def test_it_is_stopped_in_order(publisher: Publisher) -> None:
    stage = frameshare.relay("camera", "copy", hold=(1, 30), every=2, max_rate=10)
    assert stage.slots == 30
    with Subscriber("copy") as reader:
        stage.stop()
        stage.wait(PATIENCE)
        assert reader.next(PATIENCE) is None
    del stage
    assert "copy" not in frameshare.channels()


@pytest.mark.parametrize(
    "wrong",
    [
        {"slots": 1}, {"slots": 1025}, {"slots": 4, "bytes": 1 << 20}, {"bytes": 1}, {"every": 0}, {"max_rate": 0},
        {"max_rate": float("nan")}, {"hold": (-1, 30)}, {"hold": (1, 0)}, {"policy": "some"}, {"mode": 0o7777},
        {"crops": {"main": (0, 0, 65, 48)}}, {"crops": {"main": (-1, 0, 8, 8)}}, {"crops": {"main": (0, 0, 0, 8)}},
    ],
)
def test_impossible_options_are_refused(publisher: Publisher, wrong: dict[str, Any]) -> None:
    with pytest.raises(frameshare.InvalidArgument):
        frameshare.relay("camera", "copy", **wrong)


@pytest.mark.parametrize("wrong", [{"slots": "4"}, {"every": 1.5}, {"max_rate": "10"}, {"hold": 3}, {"crops": {"main": (1, 2)}}])
def test_arguments_of_wrong_types_are_named(publisher: Publisher, wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="main" if "crops" in wrong else next(iter(wrong))):
        frameshare.relay("camera", "copy", **wrong)


def test_channels_that_are_not_there_or_taken_are_told(publisher: Publisher) -> None:
    with pytest.raises(frameshare.NoSuchChannel):
        frameshare.relay("none")
    with pytest.raises(frameshare.ChannelInUse):
        frameshare.relay("camera", "camera")
    with pytest.raises(frameshare.NoSuchStream):
        frameshare.relay("camera", crops={"other": (0, 0, 8, 8)})
