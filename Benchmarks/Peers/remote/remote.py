#!/usr/bin/python3
"""The round trip of a camera's request to a worker process that does nothing: `remote.py MODULE ROUND-TRIPS`.

MODULE is picamera2.remote or frameshare.remote. Below is the real picamera2, over the fake libcamera of Python/tests. Prints
one line of JSON: start-up of 4 workers, the round trip of a request that has just been captured, the same of one that is sent again
and again, and how many go through 4 workers in a second; in ns.
"""

import importlib
import json
import os
import sys
import tempfile
import time
from collections import deque
from statistics import median

import picamera2

remote = importlib.import_module(sys.argv[1])
WORKERS = 4


def nothing(request):
    return None


def begin():
    """Says that a worker is ready."""
    open(os.path.join(os.environ["BENCH_READY"], str(os.getpid())), "w").close()


def cpu(pid):
    """What a process has taken of the processors, in ns."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e9 / os.sysconf("SC_CLK_TCK")


def main():
    count = int(sys.argv[2])
    now = time.perf_counter_ns
    picam2 = picamera2.Picamera2()
    picam2.configure(picam2.create_video_configuration({"size": (128, 96)}, buffer_count=8, controls={"FrameRate": 60}))
    picam2.start()
    result = {}

    with tempfile.TemporaryDirectory() as ready:
        os.environ["BENCH_READY"] = ready
        began = now()
        pool = remote.Pool(nothing, WORKERS, picam2, begin)
        while len(os.listdir(ready)) < WORKERS:
            time.sleep(0.001)
        result["start_ns"] = now() - began

        def many(seconds):
            """As many out as there are workers have room for."""
            requests = [picam2.capture_request() for _ in range(4)]
            out, sent, until = deque(), 0, now() + seconds * 1e9
            while now() < until:
                while len(out) < len(requests):
                    out.append(pool.send(requests[sent % len(requests)]))
                    sent += 1
                out.popleft().result()
            while out:
                out.popleft().result()
            for request in requests:
                request.release()
            return sent / seconds

        many(0.2)
        result["a_second"] = many(1.0)
        pool.close()

    process = remote.Process(nothing, picam2)

    def captured():
        with picam2.captured_request() as request:
            began = now()
            process.send(request).result()
            return now() - began

    for _ in range(10):
        captured()
    result["captured_ns"] = median(captured() for _ in range(count))
    with picam2.captured_request() as request:
        times = []
        before = time.process_time_ns()
        for _ in range(2 * count):
            began = now()
            process.send(request).result()
            times.append(now() - began)
        result["again_ns"] = median(times)
        result["cpu_ns"] = (time.process_time_ns() - before) / len(times)
    process.close()
    picam2.stop()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
