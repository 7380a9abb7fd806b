"""Event loops of every kind see every frame, also those that poll before they try, and take one frame each time."""

import asyncio
import gc
import os
import select
import selectors
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frameshare
from conftest import PATIENCE, until
from frameshare import Publisher, Subscriber, _readable
from frameshare._readable import Readable

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
                if published == COUNT // 2:
                    publisher.reconfigure({"main": (16, 16, "R8")}, slots=6)
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


@pytest.mark.parametrize("way", ["in the loop", "in another thread", "without a word"])
def test_a_descriptor_s_number_may_be_another_s_while_a_task_waits_for_the_first(way: str) -> None:
    async def main() -> None:
        first, second = Readable(clear=True), Readable(clear=True)
        fd = os.eventfd(0, os.EFD_NONBLOCK)

        def close() -> None:
            if way != "without a word":
                first.end()
            os.close(fd)

        before = asyncio.create_task(first.wait(fd))
        await asyncio.sleep(0)
        if way == "in another thread":
            thread = threading.Thread(target=close)
            thread.start()
            thread.join()
        else:
            close()
        spare = os.eventfd(0, os.EFD_NONBLOCK)
        if spare != fd:
            os.dup2(spare, fd)
            os.close(spare)
        after = asyncio.create_task(second.wait(fd))
        await asyncio.sleep(0)
        if way == "without a word":
            before.cancel()
        await asyncio.wait({before}, timeout=PATIENCE)
        assert before.done() and not after.done()
        os.eventfd_write(fd, 1)
        await asyncio.wait_for(after, PATIENCE)
        os.close(fd)
        assert not _readable._readers

    asyncio.run(main())


def test_a_task_that_waits_ends_with_what_it_waits_for() -> None:
    async def main() -> None:
        with open_publisher() as publisher:
            for make in (
                lambda: Subscriber("camera"),
                lambda: publisher.results("g"),
                lambda: publisher.offer_controls([]),
                frameshare.watch_channels,
            ):
                one = make()
                if isinstance(one, frameshare.ChannelWatch):
                    await one.anext()  # what is there
                task = asyncio.create_task(one.anext())
                await asyncio.sleep(0)
                assert _readable._readers and not task.done()
                one.close()
                # Its descriptor may be another's from now on.
                assert not _readable._readers
                with pytest.raises(frameshare.Released):
                    await asyncio.wait_for(task, PATIENCE)

    asyncio.run(main())


def test_what_is_dropped_ends_at_once_without_the_collector() -> None:
    with open_publisher() as publisher:
        makers: list[Callable[[], Any]] = [
            lambda: Subscriber("camera"),
            lambda: Subscriber("camera", group="h"),
            lambda: publisher.results("g"),
            lambda: publisher.ask("g", np.zeros((16, 16), np.uint8)),
            lambda: publisher.offer_controls([]),
            frameshare.watch_channels,
            lambda: frameshare.relay("camera"),
        ]
        gc.disable()
        try:
            for make in makers:
                one = make()
                dropped = weakref.ref(one)
                del one
                assert dropped() is None, make
            until(lambda: not publisher.statistics.subscribers)
        finally:
            gc.enable()
