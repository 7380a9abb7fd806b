"""frameshare.picamera2 against what picamera2 promises of its requests and buffers.

libcamera's Python binding, without which picamera2 can't be imported, is not in Debian 12: here a stand-in has the
attributes that frameshare.picamera2 uses, with real shared memory behind them. No real camera was used.
"""

import fcntl
import mmap
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import frameshare
import frameshare.picamera2
from conftest import PATIENCE, until

SEALS = 0x2 | 0x4  # F_SEAL_SHRINK, F_SEAL_GROW


class Request:
    def __init__(self, camera, index):
        self.camera, self.index, self.count = camera, index, 1
        self.lock = threading.Lock()
        self.request = SimpleNamespace(
            buffers={stream: buffers[index] for stream, buffers in camera.allocator.all.items()}, sequence=camera.sequence
        )

    def get_metadata(self):
        return {"SensorTimestamp": 1000 + self.camera.sequence, "ScalerCrop": (1, 2, 3, 4), "Odd": object(),
                "ColourGains": (1.5, 2.5), "StatsOutput": tuple(i % 256 for i in range(500))}

    def acquire(self):
        with self.lock:
            assert self.count > 0
            self.count += 1

    def release(self):
        with self.lock:
            assert self.count > 0
            self.count -= 1
            if self.count == 0:
                self.camera.queued.append(self.index)


class Camera:
    """What `frameshare.picamera2` uses of a Picamera2."""

    def __init__(self, buffer_count=4):
        self.pre_callback = None
        self.camera_properties = {"Model": "stand-in"}
        self.stream_map = {"main": "m", "lores": "l", "raw": None}
        self.config = {
            "main": {"format": "XBGR8888", "size": (60, 40), "stride": 256, "framesize": 256 * 40},
            "lores": {"format": "YUV420", "size": (32, 16), "stride": 64, "framesize": 64 * 24},
            "colour_space": "sYCC",
        }
        self.maps, all_buffers = {}, {}
        for name, stream in (("main", "m"), ("lores", "l")):
            all_buffers[stream] = []
            for index in range(buffer_count):
                fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
                size = self.config[name]["framesize"]
                os.ftruncate(fd, size)
                fcntl.fcntl(fd, 1033, SEALS)  # F_ADD_SEALS
                self.maps[stream, index] = mmap.mmap(fd, size)
                all_buffers[stream].append(SimpleNamespace(planes=[SimpleNamespace(fd=fd, length=size)]))
        self.allocator = SimpleNamespace(all=all_buffers, buffers=lambda stream: all_buffers[stream])
        self.queued, self.sequence = list(range(buffer_count)), 0

    def camera_configuration(self):
        return self.config

    def complete(self):
        """One frame: False where the camera has no buffer."""
        if not self.queued:
            return False
        index, self.sequence = self.queued.pop(0), self.sequence + 1
        for (_, i), memory in self.maps.items():
            if i == index:
                memory[:] = bytes([self.sequence]) * len(memory)
        request = Request(self, index)
        if self.pre_callback:
            self.pre_callback(request)
        request.release()
        return True


def test_every_stream_and_the_metadata_of_a_request_are_shared():
    camera = Camera()
    with frameshare.picamera2.publish(camera, "pi", source_need=1), frameshare.Subscriber("pi") as subscriber:
        assert camera.complete()
        frame = subscriber.next(PATIENCE)
        main, lores = frame["main"], frame["lores"]
        assert main.array.shape == (40, 60, 4) and (main.array == 1).all() and main.layout[0].stride == 256
        assert [p.shape for p in lores.planes] == [(16, 32), (8, 16), (8, 16)] and lores.array.shape == (24, 64)
        assert lores.color_space == "sYCC" and frame.streams == ("main", "lores")
        assert (frame.timestamp, frame.clock, frame.sequence) == (1001, "boottime", 1)
        assert frame.metadata["ScalerCrop"] == frameshare.Rectangle(1, 2, 3, 4)
        assert frame.metadata["StatsOutput"] == bytes(i % 256 for i in range(500)) and "Odd" not in frame.metadata
        # The very buffer: what the camera writes shows.
        camera.maps["m", 0][0] = 99
        assert main.array[0, 0, 0] == 99


def test_a_request_goes_back_when_nobody_holds_its_frame():
    camera = Camera(buffer_count=4)
    with frameshare.picamera2.publish(camera, "pi", source_need=1), frameshare.Subscriber(
        "pi", policy="queue:2", budget=3
    ) as subscriber:
        assert camera.complete() and camera.complete()
        first, second = subscriber.next(PATIENCE), subscriber.next(PATIENCE)
        assert len(camera.queued) == 2
        second.release()  # in any order
        until(lambda: sorted(camera.queued) == [1, 2, 3])
        first.release()
        until(lambda: len(camera.queued) == 4)


def test_nobody_can_take_the_cameras_last_buffers():
    camera = Camera(buffer_count=4)
    with frameshare.picamera2.publish(camera, "pi", source_need=2), frameshare.Subscriber(
        "pi", policy="queue:3", budget=4
    ) as greedy:
        held = []
        for _ in range(50):
            assert camera.complete()
            frame = greedy.try_next()
            held += [frame] if frame else []
        assert len(held) == 2 and camera.sequence == 50
        assert (held[0]["main"].array == 1).all() and (held[1]["main"].array == 2).all()


def test_without_subscribers_every_request_goes_back_at_once():
    camera = Camera(buffer_count=3)
    with frameshare.picamera2.publish(camera, "pi") as sharing:
        for _ in range(20):
            assert camera.complete() and len(camera.queued) == 3
        assert sharing.publisher.statistics.published == 20


def test_closing_gives_back_all_requests_and_the_callback():
    earlier = []
    camera = Camera()
    camera.pre_callback = earlier.append
    sharing = frameshare.picamera2.publish(camera, "pi", source_need=1)
    subscriber = frameshare.Subscriber("pi")
    camera.complete()
    frame = subscriber.next(PATIENCE)
    assert len(earlier) == 1 and len(camera.queued) == 3
    sharing.close()
    sharing.close()
    assert len(camera.queued) == 4 and camera.complete() and len(earlier) == 2
    assert subscriber.next(PATIENCE) is None


def test_an_unconfigured_camera_is_refused():
    camera = Camera()
    camera.config = None
    with pytest.raises(frameshare.FrameShareError, match="configure"):
        frameshare.picamera2.publish(camera, "pi")
