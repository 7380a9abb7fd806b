#!/usr/bin/python3
"""As picamera2's remote.py hands requests to a process: a request with its metadata and configuration is pickled into a
queue for each reader. The reader takes a buffer that it sees for the first time out of the publisher by pidfd_getfd, and keeps
its map. The result of each request comes back by a queue, and its slot with it.
"""

import ctypes
import mmap
import os
import queue
import sys
import threading
from collections import deque
from concurrent.futures import Future
from multiprocessing import Process, Queue, set_start_method

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import contestant  # noqa: E402

PIDFD_GETFD = 438
libc = ctypes.CDLL(None, use_errno=True)

#: What libcamera says of a frame, about.
METADATA = {
    "SensorTimestamp": 123456789012345, "ExposureTime": 8000, "AnalogueGain": 1.5, "DigitalGain": 1.0, "Lux": 412.5,
    "ColourTemperature": 4500, "ColourGains": (1.9, 1.6), "FocusFoM": 1234, "FrameDuration": 8333, "AeLocked": True,
    "ScalerCrop": (0, 0, 4608, 2592), "ScalerCrops": [(0, 0, 4608, 2592)], "SensorTemperature": 41.0, "AfState": 2,
    "SensorBlackLevels": (4096, 4096, 4096, 4096), "LensPosition": 1.2, "AfPauseState": 0,
    "ColourCorrectionMatrix": (1.7, -0.5, -0.2, -0.4, 1.8, -0.4, 0.1, -0.8, 1.7),
}  # fmt: skip
CONFIGURATION = {
    "main": {"format": "YUV420", "size": (1920, 1080), "stride": 1920, "framesize": 3110400}, "use_case": "video",
    "controls": {"FrameDurationLimits": (8333, 8333), "NoiseReductionMode": 1}, "queue": True, "buffer_count": 6,
    "transform": (0, 0, 0), "colour_space": (3, 3, 2, 2),
}  # fmt: skip


def read(options, reader, publisher, requests, results):
    book = contestant.Reader(options, reader)
    process = os.pidfd_open(publisher)
    maps = {}
    book.connected()
    more = True
    while more:
        request = requests.get()
        theirs, length = request["buffer"]
        if theirs not in maps:
            own = libc.syscall(PIDFD_GETFD, process, theirs, 0)
            if own < 0:
                sys.exit(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
            maps[theirs] = mmap.mmap(own, length, mmap.MAP_SHARED, mmap.PROT_READ)
        more = book.received(maps[theirs])
        results.put(None)
    book.end()


def main():
    options = contestant.arguments()
    set_start_method("fork")
    slots, free, out = {}, queue.SimpleQueue(), {}
    for _ in range(options.slots):
        descriptor = os.memfd_create("frame")
        os.ftruncate(descriptor, options.size)
        slots[descriptor] = mmap.mmap(descriptor, options.size)
        for page in range(0, options.size, 4096):
            slots[descriptor][page] = 0
        out[descriptor] = 0
        free.put(descriptor)
    queues = [(Queue(), Queue()) for _ in range(options.readers)]
    sent = [deque() for _ in queues]
    children = [Process(target=read, args=(options, i, os.getpid(), *both)) for i, both in enumerate(queues)]
    lock = threading.Lock()

    def take_back(results, requests):
        """Each process of picamera2's has such a thread."""
        while True:
            result = results.get()
            descriptor, future = requests.popleft()
            future.set_result(result)
            with lock:
                out[descriptor] -= 1
                is_free = out[descriptor] == 0
            if is_free:
                free.put(descriptor)

    def start_threads():
        for (_, results), requests in zip(queues, sent):
            threading.Thread(target=take_back, args=(results, requests), daemon=True).start()

    ready = []

    def prepare():
        if not ready:
            ready.append(free.get(timeout=20))

    def publish(number, stamp):
        prepare()
        descriptor = ready.pop()
        contestant.fill(options, slots[descriptor], number, stamp)
        out[descriptor] = options.readers
        for (requests, _), waiting in zip(queues, sent):
            waiting.append((descriptor, Future()))
            requests.put({"metadata": METADATA, "config": CONFIGURATION, "buffer": (descriptor, options.size), "kwargs": {}})

    contestant.run_publisher(options, children, prepare, publish, start_threads)


if __name__ == "__main__":
    main()
