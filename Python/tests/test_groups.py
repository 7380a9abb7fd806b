"""Groups of worker processes: frames are asked about, and each gets its own answer, whatever becomes of the workers."""

import asyncio
import os
import signal
import threading
import time

import numpy as np
import pytest

import frameshare
from conftest import PATIENCE, until
from frameshare import Publisher, Subscriber

WORKER = """
import os, signal, sys, time
import frameshare

def handle(frame):
    value = int(frame["main"].array[0, 0])
    request = frame.request
    if value == 250:
        os.kill(os.getpid(), signal.SIGKILL)
    if value == 251:
        raise ValueError("no model for this")
    if value == 252:
        for step in range(3):
            request.progress({"step": step})
    if value == 253:
        while not request.cancelled:
            time.sleep(0.005)
    if value == 249:
        print("working", flush=True)
        time.sleep(1)
    if value == 254:
        return bytes(1_000_000)
    if value == 255:
        return {"odd": object()}
    return {"value": value, "frame": frame.number, "pid": os.getpid()}

print(frameshare.Worker("camera", "g", handle, queue=2).run(), flush=True)
"""


def picture(value: int) -> np.ndarray:
    return np.full((16, 32), value, np.uint8)


@pytest.fixture
def publisher():
    with Publisher("camera", {"main": (32, 16, "R8")}, slots=8) as publisher:
        yield publisher


@pytest.fixture
def workers(publisher, start):
    """Starts so many, and waits until they are there."""

    def run(count: int):
        already = sum(group.members for group in publisher.groups)
        processes = [start("-c", WORKER) for _ in range(count)]
        until(lambda: sum(group.members for group in publisher.groups) == already + count)
        return processes

    return run


def settled(publisher) -> bool:
    return publisher.statistics.slots_free == 8


def test_each_frame_gets_the_answer_made_of_its_pixels(publisher, workers) -> None:
    processes = workers(2)
    pids = set()
    for value in range(1, 41):
        pending = publisher.ask("g", picture(value), metadata={"N": value})
        answer = pending.result(PATIENCE)
        assert (answer["value"], answer["frame"], answer.frame) == (value, pending.frame, pending.frame)
        pids.add(answer["pid"])
    assert pids == {process.pid for process in processes}
    group = publisher.groups[0]
    assert (group.name, group.members, group.answered, group.failed) == ("g", 2, 40, 0)
    publisher.close()
    assert sum(int(process.communicate(timeout=PATIENCE)[0]) for process in processes) == 40


def test_errors_of_a_worker_are_the_askers_and_it_goes_on(publisher, workers) -> None:
    workers(1)
    with pytest.raises(frameshare.WorkerFailed, match="ValueError: no model for this"):
        publisher.ask("g", picture(251)).result(PATIENCE)
    with pytest.raises(frameshare.WorkerFailed, match="can't be metadata"):
        publisher.ask("g", picture(255)).result(PATIENCE)
    assert publisher.ask("g", picture(1)).result(PATIENCE)["value"] == 1
    assert publisher.ask("g", picture(254)).result(PATIENCE).value == bytes(1_000_000)
    until(lambda: settled(publisher))


def test_replies_on_the_way_come_in_order(publisher, workers) -> None:
    workers(1)
    pending = publisher.ask("g", picture(252))
    assert [reply["step"] for reply in pending] == [0, 1, 2]
    assert pending.result()["value"] == pending.result()["value"] == 252


def test_a_killed_workers_frame_fails_at_once_or_goes_to_the_next(publisher, workers) -> None:
    (victim,) = workers(1)
    began = time.monotonic()
    with pytest.raises(frameshare.WorkerLost):
        publisher.ask("g", picture(250), deadline=None).result(PATIENCE)
    assert time.monotonic() - began < PATIENCE and victim.wait(PATIENCE) == -signal.SIGKILL
    until(lambda: publisher.groups[0].members == 0)
    with pytest.raises(frameshare.NoWorker):
        publisher.ask("g", picture(1)).result(PATIENCE)
    processes = workers(2)
    # Stopped with the frame in its hands, then killed: the other one answers.
    pending = publisher.ask("g", picture(253), attempts=2, deadline=None)
    until(lambda: any(s.held for s in publisher.statistics.subscribers))
    holder = next(s.pid for s in publisher.statistics.subscribers if s.held)
    os.kill(holder, signal.SIGKILL)
    until(lambda: any(s.held and s.pid != holder for s in publisher.statistics.subscribers))
    pending.cancel()
    with pytest.raises(frameshare.Cancelled):
        pending.result(PATIENCE)
    survivor = next(process for process in processes if process.pid != holder)
    assert publisher.ask("g", picture(7)).result(PATIENCE)["pid"] == survivor.pid
    until(lambda: settled(publisher))


def test_deadlines_and_cancelling_reach_the_worker(publisher, workers) -> None:
    workers(1)

    def is_taken() -> bool:
        return any(subscriber.held for subscriber in publisher.statistics.subscribers)

    pending = publisher.ask("g", picture(253), deadline=0.5)
    until(is_taken)
    with pytest.raises(frameshare.DeadlinePassed):
        pending.result(PATIENCE)
    until(lambda: not is_taken())
    pending = publisher.ask("g", picture(253), deadline=None)
    until(is_taken)
    with pytest.raises(frameshare.TimedOut):
        pending.result(0.05)
    pending.cancel()
    with pytest.raises(frameshare.Cancelled):
        pending.result(PATIENCE)
    # The late answers are nobody's.
    assert publisher.ask("g", picture(3)).result(PATIENCE)["value"] == 3
    assert publisher.groups[0].discarded == 2


def test_asyncio_awaits_answers_side_by_side(publisher, workers) -> None:
    workers(2)

    async def main() -> None:
        async def ask(value: int) -> int:
            return (await publisher.ask("g", picture(value)))["value"]

        for first in range(0, 40, 4):
            values = list(range(first, first + 4))
            assert await asyncio.wait_for(asyncio.gather(*map(ask, values)), PATIENCE) == values
        steps = [reply["step"] async for reply in publisher.ask("g", picture(252))]
        assert steps == [0, 1, 2]
        pending = publisher.ask("g", picture(253), deadline=None)

        async def wait() -> None:
            await pending

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(frameshare.Cancelled):
            await pending
        with pytest.raises(frameshare.WorkerFailed):
            await publisher.ask("g", picture(251))

    asyncio.run(main())
    until(lambda: settled(publisher))


def test_results_of_all_frames_in_order_failures_among_them(publisher, workers) -> None:
    workers(2)
    with publisher.results("g", window=4) as results:
        with pytest.raises(frameshare.Refused):
            publisher.results("g")
        for value in (1, 2, 251, 4, 5, 6):
            publisher.wait_for_group("g", PATIENCE)
            publisher.publish(picture(value))
        seen = [results.next(PATIENCE) for _ in range(6)]
        assert [result.frame for result in seen] == list(range(1, 7))
        assert [result.value["value"] for result in seen if result.answer] == [1, 2, 4, 5, 6]
        with pytest.raises(frameshare.WorkerFailed):
            seen[2].value
        assert results.missed == 0
        with pytest.raises(frameshare.TimedOut):
            results.next(0.01)

        async def main() -> list[int]:
            found = []

            async def publish() -> None:
                for value in (7, 8):
                    await asyncio.sleep(0.02)
                    publisher.publish(picture(value))
                publisher.drain(PATIENCE)
                publisher.close()

            publishing = asyncio.create_task(publish())
            async for result in results:
                found.append(result.value["value"])
            await publishing
            return found

        assert asyncio.run(main()) == [7, 8]
    with pytest.raises(frameshare.Released):
        results.next()


def test_a_terminated_worker_answers_what_it_holds(publisher, workers) -> None:
    (worker,) = workers(1)
    pending = publisher.ask("g", picture(249), deadline=None)
    assert worker.stdout.readline() == "working\n"
    worker.terminate()
    assert pending.result(PATIENCE)["value"] == 249
    assert worker.communicate(timeout=PATIENCE)[0] == "1\n" and worker.returncode == 0


def test_a_worker_ends_with_its_publisher(start) -> None:
    code = "import frameshare, time\np = frameshare.Publisher('camera', {'main': (32, 16, 'R8')})\ntime.sleep(600)"
    publisher = start("-c", code)
    until(lambda: "camera" in frameshare.channels())
    worker = start("-c", WORKER)
    until(lambda: (found := frameshare.Monitor("camera").groups()) and found[0].members == 1)
    publisher.kill()
    _, errors = worker.communicate(timeout=PATIENCE)
    assert worker.returncode != 0 and "PublisherLost" in errors


def test_a_member_reads_and_answers_by_hand_and_plain_subscribers_see_all(publisher) -> None:
    with Subscriber("camera", group="g", policy="queue:2") as member, Subscriber("camera", policy="queue:4") as plain:
        pending = publisher.ask("g", picture(9))
        seen = plain.next(PATIENCE)
        assert seen.number == pending.frame and seen.request is None
        frame = member.next(PATIENCE)
        request = frame.request
        frame.release()
        # After its frame was released, from another thread, with whatever has bytes.
        thread = threading.Thread(target=request.answer, args=(np.arange(4, dtype=np.uint8),))
        thread.start()
        assert pending.result(PATIENCE).value == bytes([0, 1, 2, 3])
        thread.join()
        with pytest.raises(frameshare.FrameShareError):
            member.fileno()
        assert asyncio.run(_answer_one(publisher, member)) == 11
    with pytest.raises(frameshare.InvalidArgument):
        Subscriber("camera", group="not a name")
    with pytest.raises(frameshare.InvalidArgument):
        publisher.results("")


def test_a_frame_that_comes_to_a_cancelled_task_is_the_next_call_s(publisher) -> None:
    with Subscriber("camera", group="g", policy="queue:4") as member:
        until(lambda: publisher.groups and publisher.groups[0].members == 1)
        frames = iter(member)
        take_next = [
            lambda: member.next(PATIENCE),
            lambda: next(frames),
            lambda: member.next(PATIENCE, after=0),
            lambda: asyncio.run(member.anext()),
        ]
        for value, take in enumerate(take_next, 1):
            pending = asyncio.run(_asked_after_a_cancel(publisher, member, value))
            frame = take()
            assert int(frame["main"].array[0, 0]) == value
            frame.request.answer({"value": value})
            assert pending.result(PATIENCE)["value"] == value
            frame.release()
        pending = asyncio.run(_asked_after_a_cancel(publisher, member, 9))
    with pytest.raises(frameshare.WorkError):
        pending.result(PATIENCE)
    until(lambda: settled(publisher))


async def _asked_after_a_cancel(publisher, member, value: int) -> frameshare.Pending:
    """Asks while the thread of a task that was cancelled waits still."""
    task = asyncio.create_task(member.anext())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return publisher.ask("g", picture(value))  # asyncio.run ends the thread, too


async def _answer_one(publisher, member) -> int:
    pending = publisher.ask("g", picture(11))
    async for frame in member:
        frame.request.answer({"value": int(frame["main"].array[3, 3])})
        break
    return (await pending)["value"]


LEAKS = """
import frameshare, numpy as np, os, gc, threading, asyncio, mmap
publisher = frameshare.Publisher("leaks", {"main": (64, 48, "R8")})
worker = frameshare.Worker("leaks", "g", lambda frame: {"mean": float(frame["main"].array.mean())}, queue=2)
thread = threading.Thread(target=worker.run)
thread.start()
picture = np.zeros((48, 64), np.uint8)
def use():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]), len(os.listdir("/proc/self/fd"))
async def awaited(count):
    for _ in range(count):
        await publisher.ask("g", picture)
def run(count):
    for i in range(count):
        publisher.ask("g", picture, metadata={"N": i}).result(60)
    asyncio.run(awaited(count // 4))
run(1000)
before = use()
run(4000)
after = use()
print((after[0] - before[0]) * mmap.PAGESIZE, after[1] - before[1])
publisher.close()
thread.join()
"""


def test_five_thousand_questions_leak_nothing(start) -> None:
    process = start("-c", LEAKS)
    output, errors = process.communicate(timeout=4 * PATIENCE)
    assert process.returncode == 0, errors
    memory, descriptors = map(int, output.split())
    # Of one that was open for a moment before there may be one less.
    assert memory < 1_000_000 and descriptors <= 0
