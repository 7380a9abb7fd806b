#!/usr/bin/python3
"""The round trip of a frame's message to a worker process that does nothing, and of its answer back, through
multiprocessing.Queue: `queue_workers.py WORKERS BYTES SECONDS`. As many frames are out as there are workers.

As picamera2.remote's Pool does it: a queue to each worker, the least loaded gets the next frame; the pixels stay where they
are, metadata go with the message. Prints one line of JSON, as workers-bench does.
"""

import ctypes
import json
import signal
import sys
import time
from multiprocessing import Process, Queue, set_start_method

# What a frame of a camera says besides its statistics.
CONTROLS = {f"Control{i}": 0.5 * i for i in range(24)}
CONFIG = {"main": {"format": "XBGR8888", "size": (1280, 720), "stride": 5120, "framesize": 3686400}}


def work(number, frames, answers):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # not to outlive the publisher
    while True:
        message = frames.get()
        if message is None:
            return
        stamp, _, _, metadata, _ = message
        answers.put((number, stamp, len(metadata.get("Statistics", b"")) & 255))


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: queue_workers.py WORKERS BYTES SECONDS")
    workers, size, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    set_start_method("fork")
    answers = Queue()
    queues = [Queue() for _ in range(workers)]
    children = [Process(target=work, args=(i, q, answers), daemon=True) for i, q in enumerate(queues)]
    for child in children:
        child.start()
    metadata = dict(CONTROLS, Statistics=bytes([7]) * size) if size else CONTROLS

    def run(until):
        times = []

        def send(worker):
            queues[worker].put((time.monotonic_ns(), 7, 3686400, metadata, CONFIG))

        for worker in range(workers):
            send(worker)
        out = workers
        while out:
            worker, stamp, _ = answers.get()
            now = time.monotonic_ns()
            times.append(now - stamp)
            out -= 1
            if now < until:
                send(worker)
                out += 1
        return times

    run(time.monotonic_ns() + 200_000_000)
    began, cpu = time.monotonic_ns(), time.process_time_ns()
    times = sorted(run(began + int(seconds * 1e9)))
    wall = time.monotonic_ns() - began
    print(
        json.dumps(
            {
                "workers": workers,
                "bytes": size,
                "answers": len(times),
                "p50_ns": times[len(times) // 2],
                "p99_ns": times[len(times) * 99 // 100],
                "cpu_ns": (time.process_time_ns() - cpu) // len(times),
                "wall_ns": wall,
            }
        )
    )
    for frames in queues:
        frames.put(None)
    for child in children:
        child.join()


if __name__ == "__main__":
    main()
