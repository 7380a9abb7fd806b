"""What a program may do with a shared Picamera2, in random order, with subscribers that check every pixel throughout.

Ten seconds by default; FRAMESHARE_LONG=60 is for how many seconds, FRAMESHARE_SEED for which order.
"""

import contextlib
import os
import random
import threading
import time

import fake_libcamera
import pytest
from conftest import PATIENCE, until
from fake_libcamera import pixels

import frameshare
import frameshare.picamera2

fake_libcamera.install_or_skip()

import libcamera
from picamera2 import Picamera2, Preview
from picamera2.encoders import Encoder
from picamera2.outputs import Output

SECONDS = float(os.environ.get("FRAMESHARE_LONG", "10"))
LORES = {"size": (64, 48), "format": "YUV420"}


class Nowhere(Output):
    """An encoder's output that is thrown away."""


class Reader(threading.Thread):
    """A subscriber that checks each frame, when it comes and when it is released, and holds some for a while."""

    def __init__(self, streams, policy, hold, **options):
        super().__init__(daemon=True)
        self.subscriber = frameshare.Subscriber("pi", streams=streams, policy=policy, **options)
        self.hold, self.frames, self.generations, self.failure = hold, 0, set(), None
        self.random = random.Random(len(policy))

    def run(self):
        held = []
        try:
            while (frame := self.subscriber.next(PATIENCE)) is not None:
                number = frame.metadata["FocusFoM"]
                held.append((frame, number))
                self.check(*held[-1])
                self.frames += 1
                self.generations.add(tuple((frame[name].width, frame[name].height) for name in frame.streams))
                while len(held) > self.hold or held and self.random.random() < 0.2:
                    frame, number = held.pop(self.random.randrange(len(held)))
                    self.check(frame, number)
                    frame.release()
        except BaseException as failure:  # for the test to raise
            self.failure = failure

    def check(self, frame, number):
        try:
            found = {name: {pixels(plane) for plane in frame[name].planes} for name in frame.streams}
            assert found == {name: {(number, name)} for name in found}, found
        except AssertionError:
            # A frame that was revoked before may have changed, also while it was looked at.
            if not frame.revoked:
                raise


def video(picam2, order):
    """A configuration, of any shape."""
    options = {"main": {"size": order.choice([(128, 96), (192, 96), (64, 48), (128, 98)])}}
    options["main"]["format"] = order.choice(["XBGR8888", "RGB888", "YUV420"])
    if order.random() < 0.6:
        options["lores"] = LORES
    if order.random() < 0.3:
        options["raw"] = {}
    options["transform"] = libcamera.Transform(hflip=order.random() < 0.5, vflip=order.random() < 0.5)
    options["queue"] = order.random() < 0.8
    # One size is no multiple of what hardware likes: align() mends that.
    configuration = picam2.create_video_configuration(buffer_count=order.choice([1, 2, 3, 4, 6, 8]), **options)
    if order.random() < 0.5:
        picam2.align_configuration(configuration)
    return configuration


def still(picam2):
    return picam2.create_still_configuration(main={"size": (256, 192)}, raw=None)


def restart(picam2, order):
    picam2.stop()
    if order.random() < 0.5:
        picam2.configure(video(picam2, order))
    picam2.start()


def encode(picam2, order):
    encoder = Encoder()
    encoder.output = Nowhere()
    picam2.start_encoder(encoder, name="main")
    time.sleep(0.05)
    picam2.stop_encoder(encoder)


def record(picam2, order):
    picam2.stop()
    picam2.start_recording(Encoder(), Nowhere())
    time.sleep(0.05)
    picam2.stop_recording()
    picam2.start()


def preview(picam2, order):
    picam2.stop_preview()
    picam2.start_preview(Preview.NULL)


def hold(picam2, order):
    with picam2.captured_request(flush=order.random() < 0.5 or None) as request:
        time.sleep(0.02)
        request.make_array("main")


def callbacks(picam2, order):
    picam2.pre_callback = order.choice([None, lambda request: None])
    picam2.post_callback = order.choice([None, lambda request: None])


def actions(folder):
    return {
        "switch_mode": lambda p, o: p.switch_mode(video(p, o)),
        "switch_mode_and_drop_frames": lambda p, o: p.switch_mode_and_drop_frames(video(p, o), 2),
        "switch_mode_and_capture_file": lambda p, o: p.switch_mode_and_capture_file(still(p), f"{folder}/a.jpg"),
        "switch_mode_and_capture_request": lambda p, o: p.switch_mode_and_capture_request(still(p)).release(),
        "switch_mode_and_capture_buffer": lambda p, o: p.switch_mode_and_capture_buffer(still(p)),
        "switch_mode_and_capture_buffers": lambda p, o: p.switch_mode_and_capture_buffers(still(p), ["main"]),
        "switch_mode_and_capture_array": lambda p, o: p.switch_mode_and_capture_array(still(p)),
        "switch_mode_and_capture_arrays": lambda p, o: p.switch_mode_and_capture_arrays(still(p), ["main"]),
        "switch_mode_and_capture_image": lambda p, o: p.switch_mode_and_capture_image(
            p.create_still_configuration(main={"size": (256, 192), "format": "RGB888"}, raw=None)
        ),
        "switch_mode_capture_request_and_stop": lambda p, o: (
            p.switch_mode_capture_request_and_stop(still(p)).release(), p.configure(video(p, o)), p.start()
        ),
        "restart": restart,
        "capture_metadata": lambda p, o: p.capture_metadata(),
        "capture_array": lambda p, o: p.capture_array("main"),
        "capture_buffers": lambda p, o: p.capture_buffers(["main"]),
        "capture_file": lambda p, o: p.capture_file(f"{folder}/b.png", format="png") if rgb(p) else None,
        "captured_request": hold,
        "drop_frames": lambda p, o: p.drop_frames(3),
        "set_controls": lambda p, o: p.set_controls({"ExposureTime": o.randrange(100, 60_000)}),
        "start_encoder": encode,
        "start_recording": record,
        "preview": preview,
        "callbacks": callbacks,
    }


def rgb(picam2):
    return picam2.camera_configuration()["main"]["format"] != "YUV420"


def test_every_call_in_any_order(tmp_path, capsys):
    seed = int(os.environ.get("FRAMESHARE_SEED", time.time_ns() % 100_000))
    order = random.Random(seed)
    with capsys.disabled():
        print(f" (FRAMESHARE_SEED={seed})", end="", flush=True)
    camera = fake_libcamera.reset()
    camera.fps, camera.bad_frames = 200.0, 1
    calls, done = actions(tmp_path), []
    with contextlib.closing(Picamera2()) as picam2:
        picam2.configure(picam2.create_video_configuration(main={"size": (128, 96)}, lores=LORES, buffer_count=6))
        with frameshare.picamera2.publish(picam2, "pi") as sharing:
            readers = [Reader([], "latest", 1), Reader(["lores"], "latest", 1), Reader(["main"], "queue:2", 2)]
            for reader in readers:
                reader.start()
            picam2.start()
            end = time.monotonic() + SECONDS
            # Each call once, and then any; on a slow machine for longer, until frames enough have come.
            waiting = order.sample(sorted(calls), len(calls))
            while waiting or time.monotonic() < end or (time.monotonic() < end + PATIENCE and any(r.frames < 40 for r in readers)):
                name = waiting.pop() if waiting else order.choice(sorted(calls))
                done.append(name)
                try:
                    calls[name](picam2, order)
                except Exception as error:
                    raise AssertionError(f"{name} failed after {done[-8:]} (FRAMESHARE_SEED={seed})") from error
                for reader in readers:
                    assert reader.failure is None, (reader.failure, done[-8:], f"FRAMESHARE_SEED={seed}")
            # All are alive: each gets frames of one more configuration.
            picam2.switch_mode(
                picam2.create_video_configuration(main={"size": (224, 96)}, lores={"size": (32, 32), "format": "YUV420"})
            )
            for reader in readers:
                size = (32, 32) if reader.subscriber.streams[0].name == "lores" else (224, 96)
                until(lambda reader=reader, size=size: reader.failure or any(size in g for g in reader.generations))
            lost = sharing.publisher.statistics
        for reader in readers:
            reader.join(PATIENCE)
            assert reader.failure is None, (reader.failure, done[-8:], f"FRAMESHARE_SEED={seed}")
            assert reader.frames > 20
    assert lost.published > 40
