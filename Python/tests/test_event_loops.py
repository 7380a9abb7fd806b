"""Event loops of every kind see every frame, also those that poll before they try, and take one frame each time."""

import asyncio
import select
import selectors
from collections.abc import Callable

import numpy as np
import pytest

from conftest import PATIENCE
from frameshare import Publisher, Subscriber

COUNT = 30


def open_publisher() -> Publisher:
    return Publisher("camera", {"main": (16, 16, "R8")}, slots=8)


def publish(publisher: Publisher, value: int) -> None:
    publisher.publish(np.full((16, 16), value, np.uint8))


def by_select(camera: Subscriber) -> Callable[[], bool]:
    return lambda: bool(select.select([camera], [], [], PATIENCE)[0])


def by_poll(camera: Subscriber) -> Callable[[], bool]:
    poll = select.poll()
    poll.register(camera, select.POLLIN)
    return lambda: bool(poll.poll(PATIENCE * 1000))


def by_epoll(camera: Subscriber) -> Callable[[], bool]:
    epoll = select.epoll()
    epoll.register(camera.fileno(), select.EPOLLIN)
    return lambda: bool(epoll.poll(PATIENCE))


def by_selectors(camera: Subscriber) -> Callable[[], bool]:
    selector = selectors.DefaultSelector()
    selector.register(camera, selectors.EVENT_READ)
    return lambda: bool(selector.select(PATIENCE))


@pytest.mark.parametrize("way", [by_select, by_poll, by_epoll, by_selectors])
def test_a_loop_that_polls_first_and_takes_one_frame_each_time_sees_every_frame(way) -> None:
    with open_publisher() as publisher, Subscriber("camera", policy="queue:4") as camera:
        is_readable = way(camera)
        publish(publisher, 0)
        publish(publisher, 1)
        seen, published = [], 2
        while len(seen) < COUNT:
            assert is_readable()
            frame = camera.try_next()
            if frame is None:  # woken for nothing
                continue
            with frame:
                seen.append(int(frame["main"].array[0, 0]))
            if published < COUNT:
                publish(publisher, published)
                published += 1
        assert seen == list(range(COUNT))


def test_asyncio_by_hand_sees_every_frame() -> None:
    async def run(publisher: Publisher, camera: Subscriber) -> list[int]:
        loop, done, seen = asyncio.get_running_loop(), asyncio.Event(), []

        def readable() -> None:
            if (frame := camera.try_next()) is not None:
                with frame:
                    seen.append(int(frame["main"].array[0, 0]))
            if len(seen) == COUNT:
                done.set()

        loop.add_reader(camera, readable)
        for value in range(COUNT):
            publish(publisher, value)
            while len(seen) < value - 2:
                await asyncio.sleep(0)
        await asyncio.wait_for(done.wait(), PATIENCE)
        loop.remove_reader(camera)
        return seen

    with open_publisher() as publisher, Subscriber("camera", policy="queue:4") as camera:
        assert asyncio.run(run(publisher, camera)) == list(range(COUNT))


def test_a_selector_follows_a_subscriber_over_new_connections() -> None:
    with Publisher("camera", {"main": (16, 16, "R8")}) as first:
        camera = Subscriber("camera", reconnect=True)
        selector = selectors.DefaultSelector()
        selector.register(camera, selectors.EVENT_READ)
        publish(first, 1)
        assert selector.select(PATIENCE)
        with camera.try_next() as frame:
            assert int(frame["main"].array[0, 0]) == 1
    with camera:
        # The end is heard; from then on there is nothing to look after.
        while selector.select(0):
            assert camera.try_next() is None
        for round in range(3):
            with open_publisher() as again:
                connections = camera.statistics.connections
                while connections == round + 1:
                    assert selector.select(PATIENCE)
                    assert camera.try_next() is None
                    connections = camera.statistics.connections
                publish(again, round)
                frame = None
                while frame is None:
                    assert selector.select(PATIENCE)
                    frame = camera.try_next()
                with frame:
                    assert np.all(frame["main"].array == round)
