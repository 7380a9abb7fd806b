"""frameshare.remote does what picamera2.remote does, and has none of its faults: W1 to W24, each by its number."""

import fcntl
import os
import pathlib
import pickle
import signal
import struct
import termios
import threading
import time
from concurrent.futures import CancelledError, wait

import numpy as np
import pytest
import remote_jobs as jobs
from conftest import PATIENCE, ended, until
from stand_in import LORES, MAIN, Camera

import frameshare
from frameshare.remote import Picamera2Proxy, Pool, Process, RemoteRequest, RemoteTraceback
from frameshare.remote.at_work import AtWork


def sent(pool, camera, **kwargs):
    """Captures a request and sends it, as a program does: its own hold is released at once."""
    until(lambda: camera.queued)
    request = camera.capture()
    future = pool.send(request, **kwargs)
    request.release()
    return future


def all_back(camera, count=4):
    until(lambda: len(camera.queued) == count)


@pytest.fixture
def flag(tmp_path):
    """A file that workers wait for."""
    return tmp_path / "flag"


def test_a_pool_is_what_picamera2s_is() -> None:
    camera = Camera()
    with Pool(jobs.report, 2, camera, jobs.init) as pool:
        futures = [sent(pool, camera, number=n, data=np.arange(n)) for n in range(1, 13)]
        for n, future in enumerate(futures, start=1):
            result = future.result(PATIENCE)
            assert (result["value"], result["init"], result["kwargs"]["number"]) == (n, 1, n)
            np.testing.assert_array_equal(result["kwargs"]["data"], np.arange(n))
            assert result["config"] == ["colour_space", "lores", "main", "transform"]
        metadata = result["metadata"]
        assert type(metadata.pop("Odd")) is object
        assert metadata == {k: v for k, v in camera.metadata.items() if k != "Odd"} | {"SensorTimestamp": 1012}
        assert metadata["ScalerCrop"] == (1, 2, 3, 4) and isinstance(metadata["ColourGains"], tuple)
        all_back(camera)
    with pytest.raises(RuntimeError, match="closed"):
        pool.send(camera.capture())
    pool.close()


def test_one_request_may_be_sent_several_times_and_to_several_pools() -> None:
    camera = Camera()
    with Process(jobs.report, camera) as one, Process(jobs.report, camera) as other:
        request = camera.capture()
        futures = [one.send(request), one.send(request, again=True), other.send(request)]
        request.release()
        results = [future.result(PATIENCE) for future in futures]
        assert [result["value"] for result in results] == [1, 1, 1] and results[1]["kwargs"] == {"again": True}
        assert results[0]["pid"] == results[1]["pid"] != results[2]["pid"]
        all_back(camera)


def test_a_futures_callback_may_send_again() -> None:
    camera, results = Camera(), []
    with Process(jobs.value, camera) as process:
        def again(future):
            results.append(future.result())
            if len(results) < 5:
                sent(process, camera).add_done_callback(again)

        sent(process, camera).add_done_callback(again)
        until(lambda: len(results) == 5)
    assert results == [1, 2, 3, 4, 5]


def test_w1_a_slow_frame_keeps_its_own_buffer_alone(flag) -> None:
    camera = Camera()
    with Pool(jobs.wait_for, 2, camera) as pool:
        slow = sent(pool, camera, path=str(flag))
        for _ in range(10):
            sent(pool, camera).result(PATIENCE)
            until(lambda: len(camera.queued) == 3)
        assert not slow.done()
        flag.touch()
        assert slow.result(PATIENCE)[0] == 1
        all_back(camera)


def test_w2_a_timeout_gives_the_buffer_back() -> None:
    camera = Camera(buffer_count=3)
    with Process(jobs.slow, camera, timeout=0.3) as process:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                sent(process, camera, seconds=600).result(PATIENCE)
            all_back(camera, 3)
        # And another worker has taken the place of the one that hung. A busy machine may let it, too, be late.
        number, late = 3, TimeoutError()
        while late is not None:
            future = sent(process, camera)
            late = future.exception(PATIENCE)
            assert late is None and future.result() == number or isinstance(late, TimeoutError)
            number += 1
            all_back(camera, 3)


def test_w3_a_late_answer_is_not_the_next_frames_nor_is_a_buffer_given_back_early() -> None:
    camera = Camera(buffer_count=4)
    with Process(jobs.slow, camera, timeout=2) as process:
        late = sent(process, camera, seconds=600)
        following = [sent(process, camera, seconds=0.1) for _ in range(3)]
        with pytest.raises(TimeoutError):
            late.result(PATIENCE)
        # Frame 1's buffer is used for later frames while these are looked at; theirs is not.
        until(lambda: camera.queued)
        while camera.queued:
            camera.capture()
        for number, future in enumerate(following, start=2):
            # A busy machine may let these, too, be late; what comes is theirs.
            assert isinstance(future.exception(PATIENCE), TimeoutError) or future.result() == number


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_w4_a_crash_is_noticed_and_the_worker_replaced(how) -> None:
    camera = Camera()
    with Process(jobs.die, camera, timeout=None) as process:
        waiting = [sent(process, camera, how=how), sent(process, camera), sent(process, camera)]
        with pytest.raises(frameshare.WorkerLost):
            waiting[0].result(PATIENCE)
        # Those behind it were nobody's fault.
        assert [future.result(PATIENCE) for future in waiting[1:]] == [2, 3]
        all_back(camera)


def test_w4_workers_that_can_not_start_are_given_up_and_closing_ends() -> None:
    camera = Camera()
    process = Process(jobs.value, camera, jobs.bad_init)
    with pytest.raises(RuntimeError, match="before they were ready"):
        sent(process, camera).result(PATIENCE)
    all_back(camera)
    process.close()


ORPHAN = """
import sys, time
sys.path.insert(0, sys.argv[1])
import remote_jobs as jobs
from stand_in import Camera
from frameshare.remote import Process
if __name__ == "__main__":
    camera = Camera()
    process = Process(jobs.report, camera)
    print(process.send(camera.capture()).result()["pid"], flush=True)
    time.sleep(600)
"""


def test_w4_workers_end_with_their_parent(start, tmp_path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(ORPHAN)
    parent = start(str(program), str(pathlib.Path(__file__).parent))
    pid = int(parent.stdout.readline())
    parent.kill()
    until(lambda: ended(pid))


def test_w5_w6_a_new_configuration_is_read_anew_and_the_old_is_let_go() -> None:
    camera = Camera(buffer_count=3, main=MAIN)
    with Process(jobs.value, camera) as process, Process(jobs.resources, camera) as watcher:
        def use():
            for _ in range(6):
                request = camera.capture()
                value, seen = process.send(request), watcher.send(request)
                request.release()
                assert value.result(PATIENCE) == camera.sequence % 256
                resources = seen.result(PATIENCE)
                all_back(camera, 3)
            return resources

        first = use()
        for _ in range(5):
            stale = camera.capture()
            # The old memory goes, but for what the request holds, and its descriptors' numbers are used again.
            held = {buffer.planes[0].fd for buffer in stale.request.buffers.values()}
            for buffers in camera.allocator.all.values():
                for buffer in buffers:
                    if buffer.planes[0].fd not in held:
                        os.close(buffer.planes[0].fd)
            camera.configure(3, main=MAIN)
            # What is still held of it can be sent, and is what it was.
            value = process.send(stale)
            stale.release()
            assert value.result(PATIENCE) == camera.sequence % 256
            for fd in held:
                os.close(fd)
            assert use() == first


def test_w7_an_answer_may_come_at_any_time() -> None:
    camera = Camera()
    with Process(jobs.nothing, camera) as process:
        for _ in range(300):
            assert sent(process, camera).result(PATIENCE) is None


def test_w8_cancelling_a_future_costs_nothing(flag) -> None:
    camera = Camera()
    with Process(jobs.wait_for, camera) as process:
        running = sent(process, camera, path=str(flag))
        until(running.running)
        queued, behind = sent(process, camera), sent(process, camera)
        assert queued.cancel() and behind.cancel() and not running.cancel()
        with pytest.raises(CancelledError):
            queued.result(PATIENCE)
        # Those that wait for several hear of it too.
        assert wait([queued, behind], PATIENCE).done == {queued, behind}
        until(lambda: len(camera.queued) == 3)
        flag.touch()
        assert running.result(PATIENCE)[0] == 1
        assert sent(process, camera).result(PATIENCE)[0] == 4
        all_back(camera)


def test_w9_what_can_not_be_sent_raises_and_leaks_nothing() -> None:
    camera = Camera()
    camera.colour_space = None  # as USB cameras have it
    camera.configure(4, main=MAIN)
    with Process(jobs.fails, camera) as process:
        request = camera.capture()
        with pytest.raises(frameshare.InvalidArgument, match=r"pickled for a worker \(how\)"):
            process.send(request, how=lambda: None)
        request.release()
        with pytest.raises((RuntimeError, AttributeError), match="lambda"):
            sent(process, camera, how="lambda").result(PATIENCE)
        with pytest.raises(ValueError, match="no face") as caught:
            sent(process, camera, how="raise").result(PATIENCE)
        assert isinstance(caught.value.__cause__, RemoteTraceback) and "in fails" in str(caught.value.__cause__)
        # Others than Exception's own are the Future's too, and the worker goes on.
        assert str(sent(process, camera, how="cancelled").exception(PATIENCE)) == "stop"
        with pytest.raises(RuntimeError, match="Picky"):
            sent(process, camera, how="picky").result(PATIENCE)
        assert sent(process, camera).result(PATIENCE) == camera.sequence
        all_back(camera)


WATCH = """
import frameshare, sys
with frameshare.Subscriber(sys.argv[1], directory=sys.argv[2], policy="queue:1", name=sys.argv[3]) as camera:
    print("here", flush=True)
    for frame in camera:
        print(frame["main"].array[0, 0, 0], flush=True)
"""


def test_w10_w11_readers_come_and_go_and_each_has_its_own_policy_and_counts(start) -> None:
    camera = Camera(buffer_count=6)
    with Process(jobs.value, camera) as process:
        sent(process, camera).result(PATIENCE)
        readers = [start("-c", WATCH, *process.channel, name) for name in ("a", "b")]
        for reader in readers:
            assert reader.stdout.readline() == "here\n"
        latest = frameshare.Subscriber(process.channel[0], directory=process.channel[1], name="latest")
        for _ in range(2):
            value = sent(process, camera).result(PATIENCE)
            assert [reader.stdout.readline() for reader in readers] == [f"{value}\n"] * 2
        readers[0].kill()
        value = sent(process, camera).result(PATIENCE)
        assert readers[1].stdout.readline() == f"{value}\n"
        assert latest.next(PATIENCE)["main"].array[0, 0, 0] == value and latest.statistics.delivered == 1
        with frameshare.Monitor(process.channel[0], directory=process.channel[1]) as monitor:
            seen = {s.name: (s.policy, s.dropped_by_policy) for s in monitor.statistics().subscribers}
        assert seen["latest"] == ("latest", 2) and seen["b"] == ("queue:1", 0)
        latest.close()


def test_w12_configuration_and_metadata_stay_out_of_the_pipes() -> None:
    camera = Camera()
    camera.metadata["StatsOutput"] = tuple(i % 256 for i in range(48_000))
    with Process(jobs.report, camera) as process:
        folder = pathlib.Path(process.channel[1])
        for _ in range(5):
            result = sent(process, camera).result(PATIENCE)
            assert result["metadata"]["StatsOutput"] == camera.metadata["StatsOutput"]
        # The channel's socket and its lock: nothing else goes through files.
        assert {path.name.partition(".")[0] for path in folder.iterdir()} == {"pool"}


def test_arguments_of_any_size_arrive() -> None:
    camera = Camera()
    with Process(jobs.echo, camera) as process:
        for size in (0, 10, 1_000_000, 20_000_000):
            assert sent(process, camera, data=bytes(size)).result(PATIENCE)[0] == size
        assert not list(pathlib.Path(process.channel[1]).glob("tmp*"))


def test_w13_another_streams_format_is_none_of_a_workers_business() -> None:
    lores = {"format": "NV12", "size": (30, 16), "stride": 32, "framesize": 32 * 24}
    odd = {"format": "XYZ0", "size": (8, 8), "stride": 8, "framesize": 64}
    camera = Camera(main=MAIN, lores=lores)
    with Process(jobs.describe, camera) as process:
        assert sent(process, camera).result(PATIENCE)[0][0] == (40, 60, 4)
        assert sent(process, camera, name="lores").result(PATIENCE)[0][0] == (24, 30)
        with pytest.raises(RuntimeError, match="'raw' is not defined"):
            sent(process, camera, name="raw").result(PATIENCE)
    with pytest.raises(frameshare.FrameShareError, match="XYZ0"), Process(jobs.describe, Camera(main=odd)) as process:
        sent(process, Camera(main=odd))


def test_w14_sequence_losses_and_times_come_with_a_request() -> None:
    camera = Camera()
    with Process(jobs.losses, camera) as process:
        assert sent(process, camera).result(PATIENCE)[:2] == (1, 0)
        camera.sequence += 3  # which the camera lost
        sequence, lost, timestamp, clock, published = sent(process, camera).result(PATIENCE)
        assert (sequence, timestamp, clock) == (5, 1005, "boottime") and 0 < published <= time.monotonic_ns()
        assert lost == 0  # none of those that were sent


def test_w15_a_limit_leaves_the_camera_its_buffers(flag) -> None:
    camera = Camera(buffer_count=6)
    with Pool(jobs.wait_for, 1, camera, limit=2) as pool:
        held = [sent(pool, camera, path=str(flag)) for _ in range(2)]
        for _ in range(20):
            with pytest.raises(frameshare.Busy):
                sent(pool, camera).result(PATIENCE)
        assert len(camera.queued) == 4
        flag.touch()
        assert [future.result(PATIENCE)[0] for future in held] == [1, 2]


def test_w16_w17_streams_that_nobody_reads_are_not_touched() -> None:
    # The cache is synchronised for dma-bufs (by the library, stream by stream, when its image is asked for); here it is
    # seen that a request's images are asked for one by one.
    camera = Camera(main=MAIN, lores=LORES)
    asked_for = []
    with Process(jobs.value, camera) as process:
        name, directory = process.channel
        sent(process, camera).result(PATIENCE)
        with frameshare.Subscriber(name, directory=directory) as subscriber:
            sent(process, camera).result(PATIENCE)
            frame = subscriber.next(PATIENCE)
            request = RemoteRequest(frame, {})
            request.get_metadata()
            asked_for.append(len(frame._images))
            main = request._image("main")
            asked_for.append([image.name for image in frame._images])
            assert main.width == 60
    assert asked_for == [0, ["main"]]


def test_w18_what_workers_write_is_their_own() -> None:
    camera = Camera()
    with Process(jobs.overwrite, camera) as process, Process(jobs.value, camera) as other:
        for how in ("numpy", "pointer", "copy"):
            for _ in range(6):  # each buffer more than once: what was written to it is forgotten
                request = camera.capture()
                writing = process.send(request, how=how)
                assert writing.result(PATIENCE) == (camera.sequence % 256, 255, 255), how
                assert other.send(request).result(PATIENCE) == camera.sequence % 256
                request.release()
        with pytest.raises(frameshare.WorkerLost):
            sent(process, camera, how="the camera's own memory").result(PATIENCE)
        assert sent(process, camera).result(PATIENCE)[0] == camera.sequence % 256


def test_an_array_over_memory_that_can_not_be_private_is_copied_when_it_is_written() -> None:
    camera = Camera()
    # As for dma-bufs, which no Linux maps copy-on-write.
    with Process(jobs.overwrite, camera, jobs.no_private_memory) as process:
        for how in ("numpy", "copy"):
            assert sent(process, camera, how=how).result(PATIENCE) == (camera.sequence % 256, 255, 255)
        with pytest.raises(ValueError, match=r"read-only.*make_array"):
            sent(process, camera, how="part").result(PATIENCE)
        all_back(camera)


def test_w19_planes_in_buffers_of_their_own_are_read_too() -> None:
    camera = Camera(main=MAIN)
    config = {"format": "NV12", "size": (30, 16), "stride": 32, "framesize": 32 * 24}
    camera.configure(3, split_planes=True, main=config)
    with Process(jobs.describe, camera) as process:
        request = camera.capture()
        index = request.index
        np.frombuffer(camera.maps["main", index, 1], np.uint8)[:] = 77
        future = process.send(request)
        request.release()
        (shape, dtype, writable, last), array, buffer = future.result(PATIENCE)
        assert (shape, dtype, last) == ((24, 30), "|u1", 77)
        pixels = np.frombuffer(array, np.uint8).reshape(shape)
        assert (pixels[:16] == 1).all() and (pixels[16:] == 77).all() and len(buffer) == 32 * 24


def test_w20_where_memory_was_looked_for_is_said() -> None:
    with frameshare.Publisher("found", {"main": (32, 16, "R8")}, memory="auto") as publisher:
        with frameshare.Subscriber("found") as subscriber:
            publisher.publish(np.zeros((16, 32), np.uint8))
            assert subscriber.next(PATIENCE)["main"].memory in ("dma-heap", "udmabuf", "memfd")
    with pytest.raises(frameshare.FrameShareError, match="no-such-heap"):
        frameshare.Publisher("none", {"main": (32, 16, "R8")}, memory="heap:no-such-heap")


def test_w22_images_of_every_rgb_format_are_made() -> None:
    camera = Camera()
    with Process(jobs.image, camera) as process:
        for name, bytes_per_pixel in (("RGB888", 3), ("BGR888", 3), ("XBGR8888", 4), ("XRGB8888", 4)):
            for stride in (60 * bytes_per_pixel, 256):
                camera.configure(4, main={"format": name, "size": (60, 40), "stride": stride, "framesize": stride * 40})
                value = camera.sequence + 1
                assert sent(process, camera).result(PATIENCE) == ("RGB", (60, 40), (value,) * 3), name


def test_w23_sending_never_waits_for_workers(flag) -> None:
    camera = Camera(buffer_count=6)
    with Pool(jobs.wait_for, 1, camera) as pool:
        # The camera's thread is free again each time, though the only worker is at its first request all the while.
        futures = [sent(pool, camera, path=str(flag)) for _ in range(6)]
        assert not any(future.done() for future in futures) and camera.capture() is None
        flag.touch()
        assert [future.result(PATIENCE)[0] for future in futures] == [1, 2, 3, 4, 5, 6]


def test_w24_a_worker_can_keep_what_was_before() -> None:
    camera = Camera()
    with Process(jobs.keep, camera) as process:
        assert [sent(process, camera).result(PATIENCE) for _ in range(5)][-1] == [3, 4, 5]
        all_back(camera)  # copies: the camera's buffers are its own


def test_many_threads_send_at_once() -> None:
    camera, lock, results = Camera(buffer_count=6), threading.Lock(), []
    with Pool(jobs.value, 3, camera) as pool:
        def run():
            for _ in range(40):
                while True:
                    with lock:
                        request = camera.capture()
                        expected = camera.sequence % 256
                    if request is not None:
                        break
                    time.sleep(0.001)
                future = pool.send(request)
                request.release()
                results.append(future.result(PATIENCE) == expected)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 160 and all(results)
        all_back(camera, 6)


def test_frames_that_a_watcher_holds_are_revoked_before_a_closing_pool_gives_their_buffers_back() -> None:
    camera = Camera()
    with Process(jobs.value, camera) as process:
        channel, directory = process.channel
        with frameshare.Subscriber(channel, directory=directory) as watcher:
            sent(process, camera).result(PATIENCE)
            frame = watcher.next(PATIENCE)
            assert not frame.revoked and len(camera.queued) == 3
            process.close()
            assert frame.revoked and len(camera.queued) == 4


def test_a_request_that_the_camera_does_not_take_back_costs_no_other_its_buffer(caplog) -> None:
    camera = Camera()

    def fail():
        raise RuntimeError("the camera does not run")

    with Pool(jobs.value, 2, camera) as pool:
        bad = camera.capture()
        bad.acquire()
        future = pool.send(bad)
        bad.release, release = fail, bad.release
        release()
        assert future.result(PATIENCE) == 1
        until(lambda: "could not be given back to the camera" in caplog.text)
        assert [sent(pool, camera).result(PATIENCE) for _ in range(6)] == [2, 3, 4, 5, 6, 7]
        all_back(camera, 3)


@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_dies_is_noticed_while_a_child_of_it_lives_on(count, tmp_path) -> None:
    camera, pids = Camera(), tmp_path / "pids"
    with Pool(jobs.die_with_a_child, count, camera, timeout=None) as pool:
        with pytest.raises(frameshare.WorkerLost):
            sent(pool, camera, pids=str(pids)).result(PATIENCE / 2)
        try:
            # It has been replaced, and its buffer is the camera's.
            all_back(camera)
            assert [sent(pool, camera).result(PATIENCE) for _ in range(5)] == [2, 3, 4, 5, 6]
            os.kill(int(pids.read_text()), 0)
        finally:
            os.kill(int(pids.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("options", [{"timeout": float("nan")}, {"timeout": 0}, {"timeout": -1}, {"count": 1.5}, {"count": 0}, {"count": True}])
def test_impossible_numbers_of_a_pool_are_refused_in_words(options) -> None:
    with pytest.raises(frameshare.InvalidArgument, match="is not possible; (ask for|give)"):
        Pool(jobs.value, picam2=Camera(), **{"count": 1, **options})


def test_a_proxy_whose_run_raises_fails_its_futures_with_that() -> None:
    camera = Camera()
    proxy = jobs.RaisesAtTheSecond(camera)
    futures = [proxy.send(camera.capture()) for _ in range(3)]
    assert futures[0].result(PATIENCE) is None
    with pytest.raises(ValueError, match="no more of these"):
        futures[1].result(PATIENCE)
    with pytest.raises((RuntimeError, frameshare.WorkError)):
        futures[2].result(PATIENCE)
    proxy.close()
    all_back(camera)


def test_a_proxy_that_exits_ends_no_other_program() -> None:
    camera = Camera()
    with jobs.ExitsAtTheFirst(camera) as proxy:
        with pytest.raises(frameshare.WorkerLost):
            proxy.send(camera.capture()).result(PATIENCE)
        proxy.join(PATIENCE)
        assert proxy.exitcode == 7
        all_back(camera)


def test_a_proxy_refuses_what_is_no_request_and_no_stream_in_words() -> None:
    camera = Camera()
    with pytest.raises(frameshare.InvalidArgument, match="no stream 'other'; it has main"):
        Picamera2Proxy(camera, "other")
    with jobs.NeverTakes(camera) as proxy:
        with pytest.raises(frameshare.InvalidArgument, match="is none of picamera2's"):
            proxy.send(None)
        proxy.close(0)


def test_closing_a_proxy_that_takes_nothing_ends_after_the_timeout() -> None:
    camera = Camera()
    proxy = jobs.NeverTakes(camera)
    future = proxy.send(camera.capture())
    proxy.close(timeout=0.2)
    with pytest.raises(frameshare.Cancelled):
        future.result(0)
    assert not proxy.is_alive() and len(camera.queued) == 4


@pytest.mark.parametrize("count", [1, 2])
def test_results_of_any_size_arrive(count) -> None:
    camera = Camera()
    with Pool(jobs.large, count, camera) as pool:
        for number, size in enumerate([10, 70_000_000, 10], start=1):
            result = sent(pool, camera, size=size).result(PATIENCE)
            assert result.shape == (size,) and (result == number).all()
        all_back(camera)


def begun(pool, camera, path):
    """A request that its worker has begun with: it waits for the file."""
    future = sent(pool, camera, path=str(path))
    until(future.running)
    return future


@pytest.mark.parametrize("count", [1, 2])
def test_a_large_result_outlives_its_worker(count, flag) -> None:
    camera = Camera()
    with Pool(jobs.answer_and_die, count, camera, jobs.answers_in_memory) as pool:
        future = begun(pool, camera, flag)
        dispatcher = pool._dispatcher
        [job] = dispatcher._flying.values()
        # While the pool hears nothing, the answer and its worker's end come both.
        with dispatcher._lock:
            flag.touch()
            until(lambda: ended(job.pid))
        assert future.result(PATIENCE) == 1
        all_back(camera)


def test_two_large_results_of_one_worker_are_not_mistaken(flag) -> None:
    camera = Camera()
    with Process(jobs.wait_for, camera, jobs.answers_in_memory) as process:
        first = begun(process, camera, flag)
        second = sent(process, camera)
        dispatcher = process._dispatcher
        until(lambda: len(dispatcher._flying) == 2)
        # While the pool hears nothing, both come.
        with dispatcher._lock:
            flag.touch()
            until(lambda: waiting_bytes(dispatcher.workers._news) > 1.5 * RESULT_NEWS)
        assert (first.result(PATIENCE)[0], second.result(PATIENCE)[0]) == (1, 2)
        all_back(camera)


# What a worker says of one large result has so many bytes.
RESULT_NEWS = len(pickle.dumps(("result", os.getpid(), 1)))


def waiting_bytes(sock):
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]


def test_the_memory_of_a_result_that_never_came_is_let_go(flag) -> None:
    def memory():
        links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        return [link for link in links if os.path.islink(link) and "frameshare-result" in os.readlink(link)]

    camera = Camera()
    with Pool(jobs.die_before_the_answer, 2, camera, jobs.answers_in_memory) as pool:
        sent(pool, camera, path=None).result(PATIENCE)
        with pytest.raises(frameshare.WorkerLost):
            sent(pool, camera, path=str(flag)).result(PATIENCE)
        assert sent(pool, camera, path=None).result(PATIENCE) == 3
        until(lambda: not memory())
        all_back(camera)


def test_a_callback_that_wants_what_the_waiting_thread_holds_is_run_by_another(tmp_path) -> None:
    camera, held, ran = Camera(), threading.Lock(), threading.Event()

    def callback(future):
        with held:
            ran.set()

    with Process(jobs.wait_for, camera) as process:
        sent(process, camera).result(PATIENCE)
        for number in range(10):
            flag = tmp_path / str(number)
            with held:
                first, second = sent(process, camera, path=str(flag)), sent(process, camera)
                first.add_done_callback(callback)
                flag.touch()
                second.result(PATIENCE)
                for _ in range(3):
                    sent(process, camera).result(PATIENCE)
            assert ran.wait(PATIENCE)
            ran.clear()
        all_back(camera)


def test_several_threads_wait_for_their_results_at_once() -> None:
    camera, wrong = Camera(buffer_count=8), []

    def wait(pool):
        for _ in range(50):
            with lock:
                request = camera.capture()
                expected = None if request is None else camera.sequence % 256
                future = None if request is None else pool.send(request)
                if request is not None:
                    request.release()
            if future is not None and future.result(PATIENCE) != expected:
                wrong.append(expected)

    lock = threading.Lock()
    with Pool(jobs.value, 2, camera) as pool:
        threads = [threading.Thread(target=wait, args=(pool,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        all_back(camera, 8)
    assert not wrong


def test_a_line_of_what_workers_are_at_is_taken_again_after_its_worker_has_ended() -> None:
    at_work = AtWork()
    lines = len(at_work._words) // 4

    def work(number):
        if (pid := os.fork()) == 0:
            at_work.take_line()
            at_work.begin(number)
            os._exit(0)
        assert os.waitpid(pid, 0) == (pid, 0)
        return pid

    # One after the other: once each line was taken, the first one's is free.
    pids = [work(number) for number in range(1, lines + 2)]
    seen = {(pid, frame) for pid, frame, _ in at_work}
    assert seen == {(pid, number) for number, pid in enumerate(pids[1:], start=2)}
    at_work.close()


def test_a_worker_that_does_not_begin_is_replaced_and_its_frames_go_to_others() -> None:
    camera = Camera()
    with Pool(jobs.wait_for, 2, camera, timeout=2) as pool:
        # A busy machine may be late with the first.
        until(lambda: not isinstance(sent(pool, camera).exception(PATIENCE), TimeoutError))
        until(lambda: pool._dispatcher.workers.complete)
        stopped = pool._dispatcher.workers.pids
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        for future in [sent(pool, camera) for _ in range(2)]:
            late = future.exception(PATIENCE)
            # A busy machine may need longer for others.
            assert isinstance(late, TimeoutError) or late is None and future.result()[1] not in stopped
        until(lambda: not set(stopped) & set(pool._dispatcher.workers.pids))
        all_back(camera)


def test_what_is_no_request_and_what_can_not_be_pickled_is_refused_in_words() -> None:
    camera = Camera()
    with Process(jobs.nothing, camera) as process:
        request = camera.capture()
        with pytest.raises(frameshare.InvalidArgument, match=r"\(second\).*functions and objects of a module's own"):
            process.send(request, first=1, second=lambda: None)
        for wrong in (None, np.zeros((2, 2))):
            with pytest.raises(frameshare.InvalidArgument, match="is none of picamera2's"):
                process.send(wrong)
        request.release()
        all_back(camera)
