"""What picamera2's own examples need besides a camera, so that they run as they are: imported by each of their processes.

Every frame has the same pixels, so that what two runs make of them can be compared. A preview in a window is one without, and
says what is drawn on it. Where PiDNG does not fit picamera2, DNG files have the raw bytes alone.
"""

import mmap
import os

import cv2
import fake_libcamera
import numpy as np

fake_libcamera.install()

import picamera2
import picamera2.request

NOISE = np.random.default_rng(7).integers(0, 256, 1 << 24, np.uint8)


def write(self, word, part=slice(None)):
    plane = self.planes[0]
    with mmap.mmap(plane.fd, plane.length) as memory:
        memory[:] = NOISE[: plane.length].tobytes()


fake_libcamera.FrameBuffer.write = write

with_window = picamera2.Picamera2.start_preview
picamera2.Picamera2.start_preview = lambda self, preview=None, **options: with_window(
    self, picamera2.Preview.NULL if preview in (picamera2.Preview.QT, picamera2.Preview.QTGL) else preview, **options
)


def arrow(image, start, end, *arguments):
    if "DRAWN" in os.environ:
        with open(os.environ["DRAWN"], "a") as drawn:
            print(image.shape, start, end, *arguments, file=drawn)


cv2.arrowedLine = arrow


def raw_bytes(self, buffer, metadata, config, file_output):
    with open(file_output, "wb") as output:
        output.write(bytes(buffer))


try:
    picamera2.request.Picamera2Camera({}, {}, "model")
except TypeError:
    picamera2.request.Helpers.save_dng = raw_bytes
except Exception:
    pass  # it takes what picamera2 gives it
