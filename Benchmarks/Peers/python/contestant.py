"""What contestant.h is, for contestants in Python: arguments, pace, samples, and the JSON line at the end.

A Python contestant starts its readers itself, as children: that is how `multiprocessing` shares its queues.
"""

import argparse
import ctypes
import json
import os
import resource
import signal
import struct
import sys
import time
from array import array

LAST = 2**64 - 1
HEAD = struct.Struct("=Qq")
now = time.monotonic_ns


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["publisher"])
    parser.add_argument("--channel", default="bench")
    parser.add_argument("--way", default="")
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--rate", type=float, default=120)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=4)
    parser.add_argument("--samples", default="")
    parser.add_argument("--fill", choices=["header", "all"], default="header")
    parser.add_argument("--touch", choices=["header", "all"], default="header")
    return parser.parse_args()


def begin():
    """The program, or a child of it, is not to outlive who started it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def mark(name):
    open(os.path.join(os.environ.get("BENCH_DIR", "."), name), "w").close()


def memory():
    sums = {"Private_": 0, "Pss:": 0}
    with open("/proc/self/smaps_rollup") as lines:
        for line in lines:
            for name in sums:
                if line.startswith(name):
                    sums[name] += int(line.split()[1]) * 1024
    return sums


def say(role, reader, frames, lost, wrong, values, cpu, wall, samples):
    """Keeps the samples, and prints the line."""
    if samples:
        with open(samples, "wb") as file:
            values.tofile(file)
    ordered = sorted(values) or [0]
    kind = "publish" if role == "publisher" else "latency"
    line = {"role": role, "reader": reader, "frames": frames, "lost": lost, "wrong": wrong}
    for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1)):
        line[f"{kind}_{name}_ns"] = ordered[int(part * (len(ordered) - 1) + 0.5)]
    size = memory()
    line |= {
        "cpu_ns_per_frame": cpu / max(1, frames),
        "wall_ns": wall,
        "connect_ns": 0,
        "max_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "private_bytes": size["Private_"],
        "pss_bytes": size["Pss:"],
    }
    # One write: readers share this stream.
    os.write(1, (json.dumps(line) + "\n").encode())


def fill(options, frame, number, stamp):
    """Writes a frame: its first bytes, and the rest where that is asked for."""
    if options.fill == "all":
        frame[16 : options.size] = bytes([number & 0xFF]) * (options.size - 16)
    HEAD.pack_into(frame, 0, number, stamp)


class Reader:
    """A reader's counters. `received` is given a frame's first bytes and says whether more will come."""

    def __init__(self, options, reader):
        begin()
        self.options, self.reader = options, reader
        self.values = array("q")
        self.seen = self.lost = self.wrong = self.next = self.cpu = self.began = self.ended = 0

    def connected(self):
        mark(f"ready-{self.reader}")

    def received(self, frame):
        moment = now()
        number, stamp = HEAD.unpack_from(frame)
        if number == LAST:
            return False
        if self.options.touch == "all":
            bytes(frame)  # one pass over all of it
        if number < self.next or stamp > moment:
            self.wrong += 1
        else:
            self.lost += number - self.next
            self.next = number + 1
        if self.seen == self.options.warm_up:
            self.cpu, self.began = -time.process_time_ns(), moment
        if self.seen >= self.options.warm_up:
            self.values.append(moment - stamp)
        self.seen += 1
        self.ended = moment
        return True

    def end(self):
        measured = max(0, self.seen - self.options.warm_up)
        cpu = self.cpu + time.process_time_ns() if measured else 0
        samples = self.options.samples and f"{self.options.samples}.{self.reader}"
        say("reader", self.reader, measured, self.lost, self.wrong, self.values, cpu, self.ended - self.began, samples)


def sleep_until(due):
    rest = due - now()
    if rest > 0:
        time.sleep(rest / 1e9)


def run_publisher(options, children, prepare, publish, started=lambda: None):
    """Starts the readers, publishes at the pace asked for, ends with the last frame, and waits for the readers.

    `started` is called once they run: threads do not survive a fork. `prepare` gets a slot for the next frame, between
    frames.
    """
    begin()
    folder = os.environ.get("BENCH_DIR", ".")
    for child in children:
        child.start()
    started()
    mark("open")
    limit = now() + 30_000_000_000
    while sum(name.startswith("ready-") for name in os.listdir(folder)) < options.readers:
        if now() > limit or any(child.exitcode is not None for child in children):
            sys.exit("readers did not connect")
        time.sleep(0.001)
    time.sleep(0.02)  # until they sleep
    mark("began")
    period = int(1e9 / options.rate) if options.rate > 0 else 0
    values = array("q")
    began = cpu = 0
    due = now() + period
    number = 0
    while number < options.warm_up + options.frames:
        if period:
            sleep_until(due)
            due += period
        if number == options.warm_up:
            cpu, began = -time.process_time_ns(), now()
        stamp = now()
        if not period and number > options.warm_up and stamp - began > options.seconds * 1e9:
            break
        publish(number, stamp)
        if number >= options.warm_up:
            values.append(now() - stamp)
        if period:
            prepare()
        number += 1
    wall = now() - began
    cpu += time.process_time_ns()
    time.sleep(min(period / 1e9, 0.1))
    publish(LAST, now())
    say("publisher", 0, number - options.warm_up, 0, 0, values, cpu, wall, options.samples)
    for child in children:
        child.join(20)
        if child.exitcode != 0:
            sys.exit(f"a reader ended with {child.exitcode}")
