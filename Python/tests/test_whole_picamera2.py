"""frameshare.picamera2 under the whole real Picamera2: its capture loop, its allocator, its requests, its encoders.

Below it is a libcamera without a camera, whose frames say in each pixel which frame they are: fake_libcamera.py.
"""

import contextlib

import fake_libcamera
import pytest
from conftest import PATIENCE
from fake_libcamera import pixels

import frameshare
import frameshare.picamera2

try:
    fake_libcamera.install()
except ImportError as error:
    pytest.skip(f"the real picamera2 is not here: {error}", allow_module_level=True)

from picamera2 import Picamera2

SMALL = {"size": (128, 96)}
LORES = {"size": (64, 48), "format": "YUV420"}


@pytest.fixture
def camera():
    return fake_libcamera.reset()


@pytest.fixture
def picam2(camera):
    with contextlib.closing(Picamera2()) as picam2:
        yield picam2


def video(picam2, buffer_count=4, **options):
    return picam2.create_video_configuration(**{"main": SMALL, "buffer_count": buffer_count, **options})


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
