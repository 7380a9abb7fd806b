#!/usr/bin/python3
"""The original: (descriptor, length) goes through a multiprocessing.Queue; the reader takes the descriptor out of the
publisher by pidfd_getfd, maps it, reads, unmaps and closes it, for every frame, and gives the slot back by a queue.

As in picamera2's multi-process examples; a queue for each reader, one queue back.
"""

import ctypes
import mmap
import os
import queue
import sys
import threading
from multiprocessing import Process, Queue, set_start_method

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import contestant  # noqa: E402

PIDFD_GETFD = 438
libc = ctypes.CDLL(None, use_errno=True)


def read(options, reader, publisher, frames, returns):
    book = contestant.Reader(options, reader)
    process = os.pidfd_open(publisher)
    book.connected()
    more = True
    while more:
        theirs, length = frames.get()
        own = libc.syscall(PIDFD_GETFD, process, theirs, 0)
        if own < 0:
            sys.exit(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        with mmap.mmap(own, length, mmap.MAP_SHARED, mmap.PROT_READ) as frame:
            more = book.received(frame)
        os.close(own)
        returns.put(theirs)
    book.end()


def main():
    options = contestant.arguments()
    set_start_method("fork")
    slots, free = {}, queue.SimpleQueue()
    for _ in range(options.slots):
        descriptor = os.memfd_create("frame")
        os.ftruncate(descriptor, options.size)
        slots[descriptor] = mmap.mmap(descriptor, options.size)
        for page in range(0, options.size, mmap.PAGESIZE):
            slots[descriptor][page] = 0
        free.put(descriptor)
    returns = Queue()
    queues = [Queue() for _ in range(options.readers)]
    children = [Process(target=read, args=(options, i, os.getpid(), q, returns)) for i, q in enumerate(queues)]

    def take_back():
        """A slot is free again when every reader has given it back."""
        out = dict.fromkeys(slots, options.readers)
        while True:
            descriptor = returns.get()
            out[descriptor] -= 1
            if out[descriptor] == 0:
                out[descriptor] = options.readers
                free.put(descriptor)

    ready = []

    def prepare():
        if not ready:
            ready.append(free.get(timeout=20))

    def publish(number, stamp):
        prepare()
        descriptor = ready.pop()
        contestant.fill(options, slots[descriptor], number, stamp)
        for frames in queues:
            frames.put((descriptor, options.size))

    started = threading.Thread(target=take_back, daemon=True).start
    contestant.run_publisher(options, children, prepare, publish, started)


if __name__ == "__main__":
    main()
