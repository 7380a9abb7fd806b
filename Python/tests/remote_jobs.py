"""What the workers of test_remote.py run: a module of its own, for they import it."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections import deque

import numpy as np

from frameshare import groups
from frameshare.remote import Picamera2Proxy, RemoteMappedArray, child, writable

STATE = {"init": 0}
KEPT = deque(maxlen=3)


def value(request):
    with RemoteMappedArray(request, "main") as m:
        return int(m.array.reshape(-1)[0])


def init():
    STATE["init"] += 1


def nothing(request, **kwargs):
    return None


def report(request, **kwargs):
    return {
        "value": value(request), "pid": os.getpid(), "init": STATE["init"], "kwargs": kwargs,
        "metadata": request.get_metadata(), "config": sorted(request.get_config()),
    }


def echo(request, data=None):
    return len(data), request.frame.number


def large(request, size):
    return np.full(size, value(request), np.uint8)


def answers_in_memory():
    """Every answer of this worker goes as those of more than 60 MiB do."""
    child._LARGEST = 0


def answer_and_die(request, path):
    """The worker ends as soon as it has answered."""
    child.Taker.next = lambda _: os._exit(0)
    return wait_for(request, path)[0]


def die_before_the_answer(request, path):
    """The pool's server, and with it this worker, ends between an answer's memory and the answer."""

    def answer(*_):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)

    if path:
        groups.Request.answer = answer
    return value(request)


def slow(request, seconds=0.0):
    time.sleep(seconds)
    # Read after the wait: were the buffer the camera's again by now, another frame would be in it.
    return value(request)


def wait_for(request, path=None):
    while path and not os.path.exists(path):
        time.sleep(0.005)
    return value(request), os.getpid()


def die(request, how=None):
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        sys.exit(3)
    return value(request)


class Picky(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = b


def fails(request, how=None):
    if how == "raise":
        raise ValueError("no face")
    if how == "picky":
        raise Picky(1, 2)
    if how == "lambda":
        return lambda: 1
    if how == "cancelled":
        raise asyncio.CancelledError("stop")
    return value(request)


def bad_init():
    raise RuntimeError("no model")


def resources(request):
    return len(os.listdir("/proc/self/fd")), sum("frameshare" in l or "memfd:main" in l for l in open("/proc/self/maps"))


def losses(request):
    frame = request.frame
    return frame.sequence, frame.lost.total, frame.timestamp, frame.clock, frame.publish_timestamp


def overwrite(request, how="numpy"):
    """The first byte before and after writing, and in the image that is made of it."""
    with RemoteMappedArray(request, "main", copy=how == "copy") as m:
        before = int(m.array[0, 0, 0])
        if how == "pointer":
            ctypes.memset(m.array.ctypes.data, 255, m.array.strides[0])
        elif how == "the camera's own memory":
            ctypes.memset(request.frame["main"].array.ctypes.data, 0, 16)
        elif how == "part":
            m.array[:10][0] = 255
        else:
            m.array[0] = 255
        assert m.array[0].max() == m.array[0].min()
        after = int(m.array[0, 0, 0])
    return before, after, request.make_image("main").getpixel((0, 0))[0]


def no_private_memory():
    writable.PrivateImages.of = lambda *_: None


def describe(request, name="main"):
    with RemoteMappedArray(request, name) as m:
        array = m.array
        description = array.shape, array.dtype.str, bool(array.flags.writeable), int(np.asarray(array).reshape(-1)[-1])
    assert m.array is None
    return description, request.make_array(name).tobytes(), request.make_buffer(name).tobytes()


def image(request, path=None):
    picture = request.make_image("main")
    return picture.mode, picture.size, picture.getpixel((0, 0))


def saves(request, path=None):
    request.save(path)
    return os.path.getsize(path)


def metadata(request):
    return request.get_metadata()


def dng(request, path=None):
    request.save_dng(path)
    return open(path, "rb").read(4)


def keep(request):
    KEPT.append(request.make_array("main"))
    return [int(array.reshape(-1)[0]) for array in KEPT]


def libcamera_objects(request):
    return type(request.config["transform"]).__module__, str(request.config["transform"]), str(request.config["colour_space"])


def parents(request):
    return os.getpid(), os.getppid()


def scaled(request, factor):
    return value(request) * factor


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def run(self, request):
        return value(request) * self.factor


def stays(request):
    import threading

    # The process does not end with its main thread.
    threading.Thread(target=time.sleep, args=(600,)).start()
    return os.getpid()


def change_config(request):
    size = request.config["main"]["size"]
    request.config["main"]["size"] = (1, 1)
    request.get_config()["main"]["more"] = 1
    return tuple(size)


ARGUMENTS = []


def keep_arguments(request, number, floats, bytes, text):
    """Arguments that are kept, and written to, stay what they are."""
    ARGUMENTS.append(floats)
    floats[0] = -number
    assert floats[1:].sum() == sum(range(300_000)) and (bytes == 1).all() and len(text) == 100_000
    assert [array[0] for array in ARGUMENTS] == [-n for n in range(number + 1)]
    return len(ARGUMENTS)


def touch(path):
    path.touch()


def with_fake_camera():
    import fake_libcamera

    fake_libcamera.install()


def pixels_after(request, path=None):
    """The number that each pixel and the metadata tell of, and the image's size."""
    import fake_libcamera

    with RemoteMappedArray(request, "main") as m:
        while path and not os.path.exists(path):
            time.sleep(0.005)
        number, name = fake_libcamera.pixels(m.array)
        assert (number, name) == (request.get_metadata()["FocusFoM"], "main")
        assert m.array.shape[1::-1] == tuple(request.config["main"]["size"])
        return number, list(m.array.shape[1::-1])


def die_with_a_child(request, pids=None):
    """A child of this worker lives on."""
    if pids is None:
        return value(request)
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    with open(pids, "w") as output:
        output.write(str(child))
    os.kill(os.getpid(), signal.SIGKILL)


class RaisesAtTheSecond(Picamera2Proxy):
    def run(self):
        self.capture_array()
        self.capture_array()
        raise ValueError("no more of these")


class ExitsAtTheFirst(Picamera2Proxy):
    def run(self):
        self.capture_array()
        sys.exit(7)


class NeverTakes(Picamera2Proxy):
    def run(self):
        time.sleep(600)
