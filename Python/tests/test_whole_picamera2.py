"""frameshare.picamera2 under the whole real Picamera2: its capture loop, its allocator, its requests, its encoders.

Below it is a libcamera without a camera, whose frames say in each pixel which frame they are: fake_libcamera.py.
"""

import contextlib
import logging
import threading
import time

import fake_libcamera
import pytest
from conftest import EXAMPLES, PATIENCE, until
from fake_libcamera import pixels, video

import frameshare
import frameshare.picamera2

fake_libcamera.install_or_skip()

from picamera2 import MappedArray, Picamera2
from picamera2.allocators import PersistentAllocator
from picamera2.controls import Controls
from picamera2.request import CompletedRequest

LORES = {"size": (64, 48), "format": "YUV420"}


def check(frame) -> int:
    """Every stream's pixels are those of the frame that its metadata tell of."""
    number = frame.metadata["FocusFoM"]
    for name in frame.streams:
        for plane in frame[name].planes:
            assert pixels(plane) == (number, name)
    return number


def test_a_request_of_the_real_picamera2_has_the_fake_cameras_pixels(picam2, camera):
    picam2.configure(video(picam2, lores=LORES, raw={}))
    picam2.start()
    for _ in range(3):
        with picam2.captured_request() as request:
            number = request.get_metadata()["FocusFoM"]
            assert {name: pixels(request.make_buffer(name)) for name in ("main", "lores", "raw")} == {
                name: (number, name) for name in ("main", "lores", "raw")
            }
    assert camera.made >= 3


def test_every_stream_of_every_frame_is_shared(picam2):
    picam2.configure(video(picam2, lores=LORES, raw={}))
    with frameshare.picamera2.publish(picam2, "pi"), frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        numbers = [check(subscriber.next(PATIENCE)) for _ in range(5)]
        assert numbers == sorted(set(numbers))
        picam2.stop()


def test_a_reader_of_every_frame_that_takes_none_costs_the_camera_nothing(picam2):
    picam2.configure(video(picam2, buffer_count=6))
    with pytest.raises(frameshare.InvalidArgument, match="a camera waits for nobody"):
        frameshare.picamera2.publish(picam2, "pi", stall_limit=1)
    with frameshare.picamera2.publish(picam2, "pi") as sharing, frameshare.Subscriber("pi") as reader:
        picam2.start()
        for _ in range(3):
            # It joins again and again; each time it stays, loses its own frames, and the camera goes on.
            with frameshare.Subscriber("pi", policy="every-frame", budget=2, name="idle"):
                seen = 0
                while seen < 3 or not any(
                    one.name == "idle" and one.dropped_by_budget > 3 for one in sharing.publisher.statistics.subscribers
                ):
                    check(reader.next(PATIENCE))
                    seen += 1
        picam2.stop()


def slow_video(picam2):
    # Slow enough that frames are given back between two, and not with the next; nor does picamera2 keep the last one.
    return video(picam2, queue=False, controls={"FrameDurationLimits": (100_000, 100_000)})


def still(picam2, **options):
    # picamera2's default: one buffer.
    return picam2.create_still_configuration(**{"main": {"size": (256, 192)}, "raw": None, **options})


SWITCHES = {
    "configure": lambda picam2, path: (picam2.stop(), picam2.configure(video(picam2, main={"size": (64, 48)})), picam2.start()),
    "switch_mode": lambda picam2, path: picam2.switch_mode(video(picam2, main={"size": (192, 96)})),
    "capture_file": lambda picam2, path: picam2.switch_mode_and_capture_file(still(picam2), str(path / "a.jpg")),
    "capture_array": lambda picam2, path: picam2.switch_mode_and_capture_array(still(picam2)),
    "capture_request": lambda picam2, path: picam2.switch_mode_and_capture_request(still(picam2, buffer_count=3)).release(),
    "the same again": lambda picam2, path: picam2.switch_mode(video(picam2, lores=LORES)),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_sharing_follows_a_reconfiguration(picam2, tmp_path, switch):
    picam2.configure(video(picam2, lores=LORES))
    with frameshare.picamera2.publish(picam2, "pi") as sharing, frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        check(subscriber.next(PATIENCE))
        for _ in range(3):
            before, generation = picam2.configure_count, sharing.publisher.generation
            SWITCHES[switch](picam2, tmp_path)
            assert picam2.configure_count > before
            # Until frames of the configuration as it is now have come; every one on the way is checked.
            size = picam2.camera_configuration()["main"]["size"]
            seen = 0
            while seen < 3:
                frame = subscriber.next(PATIENCE)
                check(frame)
                if sharing.publisher.generation > generation and (frame["main"].width, frame["main"].height) == size:
                    seen += 1
                frame.release()


def test_a_subscriber_to_a_stream_waits_for_a_configuration_that_has_it(picam2):
    picam2.configure(video(picam2, lores=LORES))
    with frameshare.picamera2.publish(picam2, "pi"), frameshare.Subscriber("pi", streams=["lores"]) as lores:
        picam2.start()
        check(lores.next(PATIENCE))
        with frameshare.Subscriber("pi", streams=["main"]) as main:
            picam2.switch_mode(video(picam2, main={"size": (192, 96)}))
            frame = main.next(PATIENCE)
            while frame["main"].width != 192:
                frame = main.next(PATIENCE)
            with contextlib.suppress(frameshare.TimedOut):
                while True:  # what was on its way: main's frame came after it
                    lores.next(0)
            picam2.switch_mode(video(picam2, lores=LORES))
            check(lores.next(PATIENCE))


def test_frames_that_are_held_over_stop_and_start_do_not_change(picam2, camera):
    picam2.configure(video(picam2, buffer_count=6))
    with frameshare.picamera2.publish(picam2, "pi") as sharing, frameshare.Subscriber(
        "pi", policy="queue:3", budget=4
    ) as subscriber:
        picam2.start()
        held = [subscriber.next(PATIENCE) for _ in range(3)]
        numbers = [check(frame) for frame in held]
        for _ in range(3):
            picam2.stop()
            picam2.start()
            until(lambda made=camera.made: camera.made > made + 8)
            assert [check(frame) for frame in held] == numbers and not any(frame.revoked for frame in held)
            newer = subscriber.next(PATIENCE)
            assert check(newer) > numbers[-1]
            newer.release()
        # What was kept back goes to the camera when it is released: all six are in use again.
        for frame in held:
            frame.release()
        subscriber.close()
        until(lambda: not sharing._now.out)
        picam2.stop()
        until(lambda: not sharing._now.out)


def test_frames_that_are_held_while_a_persistent_allocator_goes_back_to_their_buffers_do_not_change(camera):
    with contextlib.closing(Picamera2(allocator=PersistentAllocator())) as picam2:
        first, second = video(picam2, use_case="a"), video(picam2, main={"size": (192, 96)}, use_case="b")
        picam2.configure(first)
        with frameshare.picamera2.publish(picam2, "pi"), frameshare.Subscriber("pi", policy="queue:2", budget=3) as subscriber:
            picam2.start()
            held = subscriber.next(PATIENCE)
            number = check(held)
            for configuration in [second, first, second, first]:
                picam2.switch_mode(configuration)
                until(lambda made=camera.made: camera.made > made + 8)
                assert check(held) == number and not held.revoked
            held.release()
            check(subscriber.next(PATIENCE))


def test_a_generation_that_is_held_while_stopped_is_given_back_later(picam2, camera):
    picam2.configure(video(picam2, buffer_count=3))
    with frameshare.picamera2.publish(picam2, "pi", source_need=2), frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        held = subscriber.next(PATIENCE)
        picam2.stop()
        picam2.start()
        held.release()
        # All three buffers are queued in turn.
        seen = set()
        for _ in range(30):
            with picam2.captured_request() as request:
                seen.add(id(next(iter(request.request.buffers.values()))))
        assert len(seen) == 3


def test_users_callbacks_are_theirs_and_what_they_draw_is_shared(picam2):
    picam2.configure(video(picam2))
    calls = []

    def draw(request):
        calls.append("pre")

    def draw_late(request):
        calls.append("post")
        with MappedArray(request, "main") as mapped:
            mapped.array[:] = 7

    earlier = lambda request: None  # noqa: E731
    picam2.pre_callback = earlier
    sharing = frameshare.picamera2.publish(picam2, "pi")
    assert picam2.pre_callback is earlier
    picam2.pre_callback = draw
    assert picam2.pre_callback is draw
    with sharing, frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        check(subscriber.next(PATIENCE))
        assert "pre" in calls
        picam2.post_callback = draw_late
        until(lambda: "post" in calls)
        subscriber.next(PATIENCE).release()  # one that came before
        subscriber.next(PATIENCE).release()
        assert (subscriber.next(PATIENCE)["main"].array == 7).all()
        picam2.post_callback = None
    assert picam2.pre_callback is draw and picam2.post_callback is None
    assert type(picam2) is Picamera2 and "_frameshare_tap" not in vars(picam2)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_sharings_of_a_camera_end_in_any_order(picam2, order):
    picam2.configure(video(picam2, buffer_count=6))
    sharings = [frameshare.picamera2.publish(picam2, name) for name in ("pi", "pi2")]
    subscribers = [frameshare.Subscriber(name) for name in ("pi", "pi2")]
    picam2.start()
    for subscriber in subscribers:
        check(subscriber.next(PATIENCE))
    sharings[order[0]].close()
    for _ in range(3):
        check(subscribers[order[1]].next(PATIENCE))
    sharings[order[1]].close()
    assert subscribers[order[1]].next(PATIENCE) is None or subscribers[order[1]].next(PATIENCE) is None
    picam2.capture_metadata()


def test_frames_that_are_held_when_sharing_ends_are_revoked_first(picam2):
    picam2.configure(video(picam2))
    sharing, subscriber = frameshare.picamera2.publish(picam2, "pi"), None
    subscriber = frameshare.Subscriber("pi")
    picam2.start()
    frame = subscriber.next(PATIENCE)
    sharing.close()
    assert frame.revoked
    picam2.capture_metadata()


def test_closing_the_camera_ends_its_channel(camera):
    picam2 = Picamera2()
    picam2.configure(video(picam2))
    frameshare.picamera2.publish(picam2, "pi")
    subscriber = frameshare.Subscriber("pi")
    picam2.start()
    frame = subscriber.next(PATIENCE)
    number = check(frame)
    picam2.close()
    while subscriber.next(PATIENCE) is not None:
        pass
    assert check(frame) == number and not frame.revoked


def test_a_camera_with_one_buffer_is_shared_by_copies(picam2, camera):
    picam2.configure(still(picam2))
    assert picam2.camera_configuration()["buffer_count"] == 1
    with frameshare.picamera2.publish(picam2, "pi"), frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        held = subscriber.next(PATIENCE)
        number = check(held)
        until(lambda made=camera.made: camera.made > made + 5)
        assert check(held) == number and held["main"].memory == "memfd"
        held.release()
        assert check(subscriber.next(PATIENCE)) > number


def test_a_ring_keeps_the_cameras_buffers_from_slow_readers(picam2, camera):
    picam2.configure(video(picam2, buffer_count=2, lores=LORES, raw={}))
    with frameshare.picamera2.publish(picam2, "pi", ring=6) as sharing, frameshare.Subscriber(
        "pi", policy="queue:5", budget=6
    ) as slow:
        picam2.start()
        held = [slow.next(PATIENCE) for _ in range(6)]
        numbers = [check(frame) for frame in held]
        published = sharing.publisher.statistics.published
        until(lambda: sharing.publisher.statistics.published > published + 20)
        assert [check(frame) for frame in held] == numbers == sorted(numbers) and not sharing._now.out


def test_metadata_of_an_ai_camera_have_room(picam2, camera, caplog):
    tensor = tuple(float(value) / 8 for value in range(30_000))
    image = tuple(value % 256 for value in range(300 * 300 * 3))
    picam2.configure(video(picam2))
    with caplog.at_level(logging.ERROR, "frameshare"), frameshare.picamera2.publish(
        picam2, "pi", metadata_limit=1 << 20
    ) as sharing, frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        check(subscriber.next(PATIENCE))
        camera.extra = {"CnnOutputTensor": tensor, "CnnInputTensor": image, "CnnKpiInfo": (12.5, 30.25)}
        frame = subscriber.next(PATIENCE)
        while "CnnInputTensor" not in frame.metadata:
            frame = subscriber.next(PATIENCE)
        check(frame)
        metadata = frame.metadata
        assert metadata["CnnOutputTensor"] == list(tensor) and metadata["CnnInputTensor"] == bytes(image)
        assert metadata["CnnKpiInfo"] == [12.5, 30.25] and sharing.publisher.generation == 2 and not caplog.records
        # What is beyond the limit is left out, which is said once.
        camera.extra["CnnInputTensor"] = image * 4
        while "CnnInputTensor" in frame.metadata:
            frame = subscriber.next(PATIENCE)
        for _ in range(3):
            frame = subscriber.next(PATIENCE)
            check(frame)
            assert len(frame.metadata["CnnOutputTensor"]) == 30_000
        assert len(caplog.records) == 1 and "metadata_limit" in caplog.text and "CnnInputTensor" in caplog.text


def test_a_publisher_waits_for_subscribers(picam2):
    picam2.configure(video(picam2))
    with frameshare.picamera2.publish(picam2, "pi") as sharing:
        with pytest.raises(frameshare.TimedOut):
            sharing.publisher.wait_for_subscriber(timeout=0.05)
        first = []

        def read():
            with frameshare.Subscriber("pi", policy="queue:2") as subscriber:
                first.append(check(subscriber.next(PATIENCE)))

        reader = threading.Thread(target=read)
        reader.start()
        sharing.publisher.wait_for_subscriber(timeout=PATIENCE)
        picam2.start()
        reader.join(PATIENCE)
        assert first == [1]  # the very first


def test_raw_rows_have_picamera2s_shape(picam2):
    picam2.configure(video(picam2, raw={}))
    with frameshare.picamera2.publish(picam2, "pi"), frameshare.Subscriber("pi", streams=["raw"]) as subscriber:
        picam2.start()
        rows = subscriber.next(PATIENCE)["raw"].rows
        theirs = picam2.capture_array("raw")
        assert (rows.shape, rows.dtype, rows.strides) == (theirs.shape, theirs.dtype, theirs.strides)


def test_detections_of_an_ai_camera_are_a_workers_answer(picam2, camera, start):
    info = bytearray(64 + 4 + 16 * 40 + 4)
    info[:3], info[64] = b"ssd", 3
    for index, (count, shape) in enumerate([(8, (2, 4)), (2, (2,)), (2, (2,))]):
        first = 68 + index * 40
        info[first : first + 8] = count.to_bytes(4, "little") + len(shape).to_bytes(4, "little")
        for place, size in enumerate(shape):
            info[first + 8 + 2 * place] = size
    camera.extra = {
        "CnnOutputTensor": (0.0, 0.25, 0.5, 0.75) + (0.0,) * 4 + (0.875, 0.125) + (17.0, 3.0),
        "CnnOutputTensorInfo": tuple(info),
    }
    picam2.configure(video(picam2))
    with frameshare.picamera2.publish(picam2, "pi") as sharing:
        results = sharing.publisher.results("detectors", deadline=PATIENCE)
        worker = start(str(EXAMPLES / "imx500.py"), "pi")
        sharing.publisher.wait_for_subscriber(timeout=PATIENCE)
        picam2.start()
        answer = next(iter(results)).value
        assert answer == {"boxes": [0.0, 0.25, 0.5, 0.75], "scores": [0.875], "classes": [17.0]}, worker.poll()


@pytest.mark.parametrize("ring", [None, 3])
def test_a_usb_cameras_pictures_have_the_bytes_that_they_use(ring):
    fake_libcamera.reset(id="/base/usb-1", usb=True)
    with contextlib.closing(Picamera2()) as picam2:
        picam2.configure(video(picam2, main={"size": (128, 96), "format": "MJPEG"}, raw=None))
        with frameshare.picamera2.publish(picam2, "pi", ring=ring), frameshare.Subscriber("pi") as subscriber:
            picam2.start()
            for _ in range(3):
                frame = subscriber.next(PATIENCE)
                number = frame.metadata["FocusFoM"]
                array = frame["main"].array
                assert pixels(array) == (number, "main") and array.size == 4 * (1000 + number % 10)
                del array


def test_the_camera_neither_stops_nor_starts_while_a_request_goes_back(picam2, monkeypatch):
    picam2.configure(slow_video(picam2))
    original, restarts, failures = Controls.get_libcamera_controls, [], []

    def restart():
        try:
            picam2.stop()
            picam2.start()
        except BaseException as failure:  # for the test to raise
            failures.append(failure)

    def slowly(controls):
        # picamera2 has seen that the camera runs, and is about to queue the request.
        if threading.current_thread().name == "frameshare-requests" and not restarts:
            restarts.append(threading.Thread(target=restart))
            restarts[0].start()
            restarts[0].join(0.3)
        return original(controls)

    monkeypatch.setattr(Controls, "get_libcamera_controls", slowly)
    with frameshare.picamera2.publish(picam2, "pi") as sharing, frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        while not restarts:
            frame = subscriber.next(PATIENCE)
            time.sleep(0.01)
            frame.release()
        restarts[0].join(PATIENCE)
        assert not failures and not restarts[0].is_alive()
        for _ in range(5):
            check(subscriber.next(PATIENCE))
            picam2.capture_request(wait=PATIENCE).release()
        assert sharing._thread.is_alive()
        picam2.stop()


def test_requests_go_back_after_one_that_could_not(picam2, monkeypatch, caplog):
    picam2.configure(slow_video(picam2))
    original, failed = CompletedRequest.release, []

    def release(request):
        original(request)
        if threading.current_thread().name == "frameshare-requests" and not failed:
            failed.append(request)
            raise RuntimeError("the camera does not run")

    monkeypatch.setattr(CompletedRequest, "release", release)
    with frameshare.picamera2.publish(picam2, "pi") as sharing, frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        while not failed:
            frame = subscriber.next(PATIENCE)
            time.sleep(0.01)
            frame.release()
        for _ in range(5):
            check(subscriber.next(PATIENCE))
        assert sharing._thread.is_alive() and "could not be given back to the camera" in caplog.text
        picam2.stop()


def test_metadata_that_can_not_be_are_left_out_which_is_said_and_the_frame_is_shared(picam2, camera, caplog):
    picam2.configure(video(picam2))
    camera.extra = {"": 1, "k" * 256: 2, "é" * 128: 3, "a\0b": 4, "k" * 255: 5}
    camera.extra |= {"\udc80": 6, "Text": "\udc80", "Texts": ("a", "\udc80"), "Dictionary": {"a": 1}, "Huge": 1 << 70}
    with frameshare.picamera2.publish(picam2, "pi") as sharing, frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        for _ in range(3):
            frame = subscriber.next(PATIENCE)
            check(frame)
        assert frame.metadata["k" * 255] == 5 and {*camera.extra, "k" * 255} - set(frame.metadata) == {*camera.extra} - {"k" * 255}
        picam2.stop()
        assert sharing.publisher.statistics.lost_source == 0
    assert caplog.text.count("a name has 1 to 255 bytes") == 5
    for key, kind in [("Text", "str"), ("Texts", "tuple"), ("Dictionary", "dict"), ("Huge", "int")]:
        assert caplog.text.count(f"metadata named '{key}' are left out: no type of metadata holds this {kind}") == 1


def test_the_largest_of_many_metadata_are_left_out(picam2, camera):
    picam2.configure(video(picam2))
    camera.extra = {f"k{i}": i for i in range(3000)} | {"Large": b"x" * 10_000}
    with frameshare.picamera2.publish(picam2, "pi", metadata_limit=20_000), frameshare.Subscriber("pi") as subscriber:
        picam2.start()
        frame = subscriber.next(PATIENCE)
        check(frame)
        assert "Large" not in frame.metadata and 1000 < sum(key.startswith("k") for key in frame.metadata) < 3000
        picam2.stop()
