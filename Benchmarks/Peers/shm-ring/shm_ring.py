#!/usr/bin/python3
"""multiprocessing.shared_memory: frames are copied into a ring, each reader is told the place by a pipe.

A slot is written again when every reader has given it back by a byte in the other direction of its pipe.
"""

import mmap
import os
import sys
from multiprocessing import Pipe, Process, set_start_method
from multiprocessing.connection import wait
from multiprocessing.shared_memory import SharedMemory

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import contestant  # noqa: E402


def read(options, reader, name, pipe):
    book = contestant.Reader(options, reader)
    memory = SharedMemory(name)
    book.connected()
    more = True
    while more:
        slot = pipe.recv_bytes()
        start = int.from_bytes(slot, "little") * options.size
        frame = memory.buf[start : start + options.size]
        more = book.received(frame)
        frame.release()
        pipe.send_bytes(slot)
    book.end()
    memory.close()


def main():
    options = contestant.arguments()
    set_start_method("fork")
    ring = SharedMemory(create=True, size=options.size * options.slots)
    try:
        # The publisher's own frame, such as a camera's buffer.
        source = mmap.mmap(-1, options.size)
        for slot in range(options.slots):
            ring.buf[slot * options.size : (slot + 1) * options.size] = source
        pipes = [Pipe() for _ in range(options.readers)]
        children = [Process(target=read, args=(options, i, ring.name, p[1])) for i, p in enumerate(pipes)]
        ends = [pipe[0] for pipe in pipes]
        held = [0] * options.slots
        place = 0

        def take_back(timeout):
            for end in wait(ends, timeout):
                held[int.from_bytes(end.recv_bytes(), "little")] -= 1

        def prepare():
            take_back(0)
            while held[(place + 1) % options.slots]:
                take_back(20)

        def publish(number, stamp):
            nonlocal place
            prepare()
            place = (place + 1) % options.slots
            contestant.fill(options, source, number, stamp)
            ring.buf[place * options.size : (place + 1) * options.size] = source
            held[place] = options.readers
            for end in ends:
                end.send_bytes(place.to_bytes(4, "little"))

        contestant.run_publisher(options, children, prepare, publish)
    finally:
        ring.close()
        ring.unlink()


if __name__ == "__main__":
    main()
