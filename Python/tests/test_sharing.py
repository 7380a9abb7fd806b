"""Frames travel between processes, threads and tasks; leases end when they should; misuse raises."""

import asyncio
import gc
import multiprocessing
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import frameshare
from conftest import PATIENCE, until
from frameshare import Publisher, Rectangle, Size, Subscriber

PICTURE = np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3)


@pytest.fixture
def publisher():
    # It waits for whoever wants every frame, so that none is lost on a slow machine.
    with Publisher("camera", {"main": (64, 48, "BGR888")}, stall_limit=None) as publisher:
        yield publisher


READ_ALL = """
import frameshare, hashlib
with frameshare.Subscriber("camera", policy="every-frame") as camera:
    for frame in camera:
        print(frame.number, hashlib.sha256(frame["main"].array.tobytes()).hexdigest(), frame.metadata["N"], flush=True)
"""


def test_another_process_reads_every_frame(publisher, start) -> None:
    import hashlib

    reader = start("-c", READ_ALL)
    until(lambda: len(publisher.statistics.subscribers) == 1)
    expected = []
    for i in range(30):
        picture = PICTURE + np.uint8(i)
        number = publisher.publish(picture, metadata={"N": i})
        expected.append(f"{number} {hashlib.sha256(picture.tobytes()).hexdigest()} {i}")
    publisher.close()
    output, errors = reader.communicate(timeout=PATIENCE)
    assert reader.returncode == 0, errors
    assert output.split("\n")[:-1] == expected


def test_metadata_keeps_values_and_types(publisher) -> None:
    metadata = {
        "ExposureTime": 8000,
        "SensorTimestamp": 2**40,
        "AeLocked": True,
        "Lux": 12.25,
        "Model": "imx708 é",
        "Blob": bytes(range(256)),
        "ScalerCrop": Rectangle(-1, 2, 640, 480),
        "Size": Size(3, 4),
        "ColourGains": [1.5, 2.25],
        "Counts": [1, 2, 3],
        "Big": [1, 2**40],
        "Names": ["a", "", "ü"],
        "Flags": [True, False],
        "AfWindows": [Rectangle(0, 0, 1, 1), Rectangle(2, 2, 3, 3)],
        "Nothing": [],
    }
    with Subscriber("camera") as camera:
        publisher.publish(PICTURE, metadata=metadata, timestamp=12345, clock="boottime", sequence=99, flags=8)
        frame = camera.next(PATIENCE)
        assert frame.metadata == metadata and list(frame.metadata) == list(metadata)
        assert frame.get("ScalerCrop").width == 640 and frame.get("none", 5) == 5
        assert (frame.timestamp, frame.clock, frame.sequence, frame.flags) == (12345, "boottime", 99, 8)
        for bad in ({"x": object()}, {"x": {1: 2}}, {"": 1}, {"x": 2**70}):
            with pytest.raises((TypeError, ValueError, frameshare.FrameShareError)):
                publisher.publish(PICTURE, metadata=bad)
        assert publisher.statistics.slots_free >= 7


def test_a_view_keeps_its_lease_and_nothing_else_does(publisher) -> None:
    with Subscriber("camera", policy="queue:2", budget=4) as camera:
        for i in range(2):
            publisher.publish(PICTURE + np.uint8(i))
        array = camera.next(PATIENCE)["main"].array
        gc.collect()
        assert camera.statistics.held == 1
        np.testing.assert_array_equal(array, PICTURE)
        part = array[3:5].T
        del array
        assert camera.statistics.held == 1
        del part
        assert camera.statistics.held == 0
        frame = camera.next(PATIENCE)
        image = frame["main"]
        frame.release()
        assert camera.statistics.held == 0
        frame.release()


def test_use_after_release_raises(publisher) -> None:
    with Subscriber("camera") as camera:
        publisher.publish(PICTURE)
        frame = camera.next(PATIENCE)
        image = frame["main"]
        kept = image.array
        with frame:
            pass
        for use in (
            lambda: frame["main"],
            lambda: frame.number,
            lambda: frame.metadata,
            lambda: image.array,
            lambda: image.buffer,
            lambda: image.planes,
            lambda: image.fds,
            lambda: np.from_dlpack(image),
            lambda: image.to_rgb(),
            lambda: frame.__enter__(),
        ):
            with pytest.raises(frameshare.Released):
                use()
        # An array that was taken before is what it was: it holds the lease.
        np.testing.assert_array_equal(kept, PICTURE)
        assert camera.statistics.held == 1


def test_a_loop_releases_each_frame_and_survives_exceptions(publisher) -> None:
    with Subscriber("camera", policy="every-frame") as camera:
        feed = threading.Thread(target=lambda: [publisher.publish(PICTURE) for _ in range(50)])
        feed.start()
        seen = 0
        with pytest.raises(RuntimeError, match="in the body"):
            for frame in camera:
                seen += 1
                assert camera.statistics.held == 1
                if seen == 10:
                    raise RuntimeError("in the body")
        del frame
        for frame in camera:
            seen += 1
            if seen == 50:
                break
        feed.join()
        del frame
        gc.collect()
        assert camera.statistics.held == 0 and camera.statistics.delivered == 50


def test_wrong_names_and_closed_things_raise(publisher) -> None:
    with pytest.raises(frameshare.NoSuchChannel):
        Subscriber("nobody")
    with pytest.raises(frameshare.Refused, match="lores"):
        Subscriber("camera", streams=["lores"])
    for policy in ("newest", "queue:-1", "queue:x", "latest:3", ""):
        with pytest.raises(frameshare.InvalidArgument):
            Subscriber("camera", policy=policy)
    with pytest.raises(frameshare.InvalidArgument):
        Subscriber("../x")
    with pytest.raises(frameshare.InvalidArgument):
        Subscriber("a\0b")
    with pytest.raises(frameshare.ChannelInUse):
        Publisher("camera", {"main": (64, 48, "BGR888")})
    camera = Subscriber("camera")
    publisher.publish(PICTURE)
    frame = camera.next(PATIENCE)
    with pytest.raises(KeyError, match="lores"):
        frame["lores"]
    with pytest.raises(frameshare.TimedOut):
        camera.next(0.01)
    camera.close()
    camera.close()
    np.testing.assert_array_equal(frame["main"].array, PICTURE)
    for use in (camera.next, camera.try_next, camera.fileno, lambda: camera.statistics, lambda: next(iter(camera))):
        with pytest.raises(frameshare.Released):
            use()
    slot = publisher.slot()
    slot.publish()
    with pytest.raises(frameshare.Released):
        slot.publish()
    with pytest.raises(frameshare.Released):
        slot["main"]
    publisher.close()
    publisher.close()
    with pytest.raises(frameshare.Released):
        publisher.publish(PICTURE)


def test_a_slot_goes_back_when_its_block_raises(publisher) -> None:
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            with publisher.slot() as slot:
                1 // 0
        del slot
    gc.collect()
    assert publisher.statistics.slots_free == 8 and publisher.statistics.published == 0


def test_ends_and_failures_are_told_apart(publisher) -> None:
    with Subscriber("camera") as camera:
        publisher.fail("it was unplugged")
        with pytest.raises(frameshare.SourceFailed, match="unplugged"):
            camera.next(PATIENCE)
    with Publisher("camera", {"main": (64, 48, "BGR888")}) as again, Subscriber("camera") as camera:
        again.publish(PICTURE)
        again.close()
        assert camera.next(PATIENCE) is not None
        assert camera.next(PATIENCE) is None and camera.ended


def test_a_killed_publisher_is_noticed(start) -> None:
    code = "import frameshare, time\np = frameshare.Publisher('doomed', {'main': (64, 48, 'BGR888')})\ntime.sleep(600)"
    process = start("-c", code)
    camera = None

    def connect() -> bool:
        nonlocal camera
        try:
            camera = Subscriber("doomed")
            return True
        except frameshare.NoSuchChannel:
            return False

    until(connect)
    process.kill()
    with pytest.raises(frameshare.PublisherLost):
        camera.next(PATIENCE)


def test_a_subscriber_waits_for_a_channel_that_is_not_there_yet() -> None:
    with pytest.raises(frameshare.NoSuchChannel):
        Subscriber("late", wait_for_channel=0.05)
    seen = []

    def read() -> None:
        with Subscriber("late", wait_for_channel=None) as camera:
            seen.append(camera.next(timeout=PATIENCE)["main"].array.copy())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with Publisher("late", {"main": (64, 48, "BGR888")}) as late:
        late.wait_for_subscriber(timeout=PATIENCE)
        late.publish(PICTURE)
        reader.join(PATIENCE)
    assert np.array_equal(seen[0], PICTURE)


def test_a_policy_is_spelled_as_the_command_swift_or_c_has_it(publisher) -> None:
    for policy in ("every-frame", "every_frame", "everyFrame", "EVERY_FRAME", "FRAMESHARE_POLICY_EVERY_FRAME", "latest", "queue", "queue:2"):
        with Subscriber("camera", policy=policy) as camera:
            publisher.publish(PICTURE)
            camera.next(PATIENCE).release()
    for policy in ("", "newest", "latest:", "queue:", "queue:+2", "queue:0x2", "queue:2:1"):
        with pytest.raises(frameshare.InvalidArgument, match="every-frame"):
            Subscriber("camera", policy=policy)


def test_a_subscriber_reconnects_and_sees_another_layout() -> None:
    first = Publisher("camera", {"main": (64, 48, "BGR888")})
    with Subscriber("camera", reconnect=True) as camera:
        first.publish(PICTURE)
        camera.next(PATIENCE).release()
        first.close()
        with Publisher("camera", {"main": (32, 16, "R8")}) as second:

            seen = threading.Event()

            def publish_slowly() -> None:
                while not seen.wait(0.05):
                    second.publish(np.ones((16, 32), np.uint8))

            feed = threading.Thread(target=publish_slowly)
            feed.start()
            frame = camera.next(PATIENCE)
            assert frame["main"].array.shape == (16, 32)
            assert frame.flags == frameshare.FrameFlags.DISCONTINUITY
            # What was lost meanwhile nobody has counted.
            assert frame.lost == frameshare.Loss(0, 0, 0, known=False) and str(frame.lost) == "unknown"
            assert asyncio.run(camera.anext(PATIENCE))["main"].width == 32
            assert camera.statistics.connections == 2 and not camera.statistics.lost.known
            with camera.next(PATIENCE) as later:
                assert later.lost.known and later.flags == 0
            seen.set()
            feed.join()


def test_threads_share_a_subscriber_and_closing_ends_their_waits(publisher) -> None:
    camera = Subscriber("camera", policy="every-frame", budget=6)
    seen, ended = [], []

    def read() -> None:
        try:
            for frame in camera:
                seen.append(int(frame["main"].array[0, 0, 0]))
        except frameshare.Released:
            ended.append(True)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(100):
        publisher.publish(np.full((48, 64, 3), i, np.uint8))
    until(lambda: len(seen) == 100)
    camera.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(seen) == list(range(100)) and len(ended) == 4


def test_other_threads_run_while_one_waits(publisher) -> None:
    with Subscriber("camera") as camera:
        result = []
        waiter = threading.Thread(target=lambda: result.append(camera.next(PATIENCE)))
        waiter.start()
        count = sum(range(1000))  # this thread runs on: were the GIL held, nobody would publish
        publisher.publish(PICTURE)
        waiter.join(PATIENCE)
        assert count and result[0].number == 1
        result.clear()


WAIT = """
import frameshare, sys
camera = frameshare.Subscriber("camera")
print("waiting", flush=True)
try:
    camera.next()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_control_c_ends_a_wait(publisher, start) -> None:
    process = start("-c", WAIT)
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE)
    assert output == "interrupted\n", errors


def child_of_fork(frame, camera, results) -> None:
    for use in (lambda: camera.next(0), lambda: Subscriber("camera"), lambda: frame.get("x")):
        try:
            use()
            results.put("it worked")
        except frameshare.Forked as error:
            results.put("spawn" in str(error))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_gets_a_clear_error(publisher) -> None:
    fork = multiprocessing.get_context("fork")
    with Subscriber("camera") as camera:
        publisher.publish(PICTURE)
        frame = camera.next(PATIENCE)
        results = fork.Queue()
        child = fork.Process(target=child_of_fork, args=(frame, camera, results))
        child.start()
        assert [results.get(timeout=PATIENCE) for _ in range(3)] == [True, True, True]
        child.join(PATIENCE)
        assert child.exitcode == 0
        # What the parent holds is as it was.
        np.testing.assert_array_equal(frame["main"].array, PICTURE)


def spawned(queue) -> None:
    with Subscriber("camera") as camera:
        queue.put("ready")
        queue.put(int(camera.next(PATIENCE)["main"].array.sum()))


def test_a_spawned_child_reads(publisher) -> None:
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    child = spawn.Process(target=spawned, args=(queue,))
    child.start()
    assert queue.get(timeout=PATIENCE) == "ready"
    publisher.publish(PICTURE)
    assert queue.get(timeout=PATIENCE) == int(PICTURE.sum())
    child.join(PATIENCE)


def test_asyncio_reads_waits_and_cancels(publisher) -> None:
    async def main() -> None:
        async with Subscriber("camera", policy="queue:4") as camera:
            with pytest.raises(TimeoutError):
                await camera.anext(timeout=0.05)
            waiting = asyncio.create_task(camera.anext())
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            seen = []

            async def read() -> None:
                async for frame in camera:
                    seen.append(frame.number)

            tasks = [asyncio.create_task(read()) for _ in range(2)]
            for _ in range(20):
                publisher.publish(PICTURE)
                await asyncio.sleep(0.005)
            publisher.close()
            await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
            assert sorted(seen) == sorted(set(seen)) and len(seen) >= 4

    asyncio.run(main())


def test_closing_wakes_a_task(publisher) -> None:
    async def main() -> None:
        camera = Subscriber("camera")
        waiting = asyncio.create_task(camera.anext())
        await asyncio.sleep(0.05)
        camera.close()
        with pytest.raises(frameshare.Released):
            await asyncio.wait_for(waiting, PATIENCE)

    asyncio.run(main())


LEAKS = """
import frameshare, numpy as np, os, gc, mmap
publisher = frameshare.Publisher("leaks", {"main": (64, 48, "BGR888")})
camera = frameshare.Subscriber("leaks")
picture = np.zeros((48, 64, 3), np.uint8)
def pages():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]), len(os.listdir("/proc/self/fd"))
def run(count):
    for i in range(count):
        publisher.publish(picture, metadata={"N": i, "Gains": [1.5, 2.5]})
        with camera.next() as frame:
            frame["main"].array, frame.metadata, frame.number, np.from_dlpack(frame["main"])
run(3000)
before = pages()
run(50000)
after = pages()
print((after[0] - before[0]) * mmap.PAGESIZE, after[1] - before[1])
"""


def test_fifty_thousand_frames_leak_nothing(start) -> None:
    process = start("-c", LEAKS)
    output, errors = process.communicate(timeout=4 * PATIENCE)
    assert process.returncode == 0, errors
    memory, descriptors = map(int, output.split())
    # 50 000 frames that lost 100 bytes each would be five megabytes.
    assert memory < 1_000_000 and descriptors == 0


def test_statistics_and_channels(publisher) -> None:
    with Subscriber("camera", name="tester") as camera, frameshare.Monitor("camera") as monitor:
        for _ in range(3):
            publisher.publish(PICTURE)
        publisher.count_lost(source=2, no_free_slot=1)
        frame = camera.next(PATIENCE)
        assert frame.number == 3
        channel = monitor.statistics()
        assert (channel.published, channel.lost_source, channel.lost_no_free_slot) == (3, 2, 1)
        assert [(s.name, s.held, s.dropped_by_policy) for s in channel.subscribers] == [("tester", 1, 2)]
        # All of the C struct's numbers are attributes, also those that no class names.
        assert channel.figures["published"] == 3 and channel.stream_count == 1 and "stream_count" in dir(channel)
        assert channel.subscribers[0].figures["held"] == 1 and channel.subscribers[0].reserved is False
        with pytest.raises(AttributeError, match="no_such_figure"):
            _ = channel.no_such_figure
        assert pickle.loads(pickle.dumps(channel)) == channel
        assert frameshare.channels() == ["camera"]
        assert camera.streams[0].format.name == "BGR888" and camera.streams[0].planes[0][1] == 192


def test_a_live_source_waits_for_nobody() -> None:
    with Publisher("live", {"main": (64, 48, "BGR888")}) as publisher:
        full = Subscriber("live", policy="every-frame")
        for _ in range(10):
            publisher.wait_for_room(0)
            publisher.publish(PICTURE)
        now = publisher.statistics
        assert now.lost_no_free_slot == 0
        assert [(one.queued, one.dropped_by_budget) for one in now.subscribers] == [(2, 8)]
        full.next(PATIENCE).release()
        publisher.publish(PICTURE)
        full.next(PATIENCE).release()
        with full.next(PATIENCE) as frame:
            assert (frame.number, frame.lost.policy) == (11, 8)
        full.close()


def test_options_that_are_numbers_are_keywords() -> None:
    with Publisher("few", {"main": (64, 48, "BGR888")}, subscriber_limit=1) as publisher:
        with Subscriber("few"):
            with pytest.raises(frameshare.Refused, match="1 subscribers, which is the most"):
                Subscriber("few")
            assert frameshare.Monitor("few").statistics().subscriber_count == 1
        until(lambda: not publisher.statistics.subscribers)
        Subscriber("few").close()
    with pytest.raises(TypeError, match="subscriber_limits"):
        Publisher("few", {"main": (64, 48, "BGR888")}, subscriber_limits=1)
    with pytest.raises(frameshare.InvalidArgument, match="subscriber_limit is -1"):
        Publisher("few", {"main": (64, 48, "BGR888")}, subscriber_limit=-1)


def test_who_lags_is_given_copies() -> None:
    with pytest.raises(frameshare.InvalidArgument):
        Publisher("lag", {"main": (64, 48, "BGR888")}, copies=-1)
    with Publisher("lag", {"main": (64, 48, "BGR888")}, slots=4, copies=10, copy_floor=3) as publisher:
        slow = Subscriber("lag", policy="every-frame", budget=12)
        for i in range(12):
            publisher.publish(PICTURE + np.uint8(i))
        now = publisher.statistics
        assert (now.slots, now.copy_slots, now.copy_slots_free, now.copy_floor, now.copied) == (4, 10, 0, 3, 10)
        assert (now.source_errors, now.source_trouble) == (0, "")
        assert [(one.copies, one.gets_copies, one.dropped_by_shortage) for one in now.subscribers] == [(10, True, 0)]
        publisher.close()
        for i, frame in enumerate(slow):
            assert np.array_equal(frame["main"].array, PICTURE + np.uint8(i))
            assert frame.number == i + 1
        assert i == 11
        slow.close()


def test_reconfiguring_keeps_held_frames(publisher) -> None:
    with Subscriber("camera") as camera:
        publisher.publish(PICTURE)
        old = camera.next(PATIENCE)
        publisher.reconfigure({"main": (32, 16, "R8")}, slots=4)
        publisher.publish(np.full((16, 32), 5, np.uint8))
        new = camera.next(PATIENCE)
        assert (new.generation, new["main"].array.shape) == (2, (16, 32))
        np.testing.assert_array_equal(old["main"].array, PICTURE)


def test_waiting_for_subscribers_in_vain_says_what_was_waited_for(publisher) -> None:
    with Subscriber("camera"), pytest.raises(frameshare.TimedOut, match="2 subscribers of 'camera' were waited for 0.01 s; 1 are there"):
        publisher.wait_for_subscriber(2, timeout=0.01)
