"""FrameShare from Python: frames are filled and read in place, by the buffer protocol, as the peers in Python do."""

import os
import sys
import time
from multiprocessing import Process, set_start_method

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import contestant  # noqa: E402
import frameshare  # noqa: E402


def connect(options):
    while True:
        try:
            if options.rate > 0:
                return frameshare.Subscriber(options.channel)
            return frameshare.Subscriber(options.channel, policy="every-frame", budget=options.in_flight)
        except frameshare.NoSuchChannel:
            time.sleep(0.001)


def read(options, reader):
    book = contestant.Reader(options, reader)
    camera = connect(options)
    book.connected()
    for frame in camera:
        if not book.received(frame["main"]):
            break
    book.end()


def main():
    options = contestant.arguments()
    # Before the library is used here.
    set_start_method("fork")
    channel = {}
    stream = frameshare.Stream.opaque("main", 640, 480, "MJPEG", options.size)

    def open_channel():
        slots = options.slots if options.rate > 0 else max(options.slots, 1 + options.in_flight * options.readers)
        channel["publisher"] = frameshare.Publisher(options.channel, [stream], slots=slots, stall_limit=None)

    def prepare():
        if "slot" not in channel:
            slot = channel["publisher"].slot(20)
            channel["slot"] = slot, memoryview(slot["main"])

    def publish(number, stamp):
        prepare()
        slot, memory = channel.pop("slot")
        contestant.fill(options, memory, number, stamp)
        slot.publish()

    children = [Process(target=read, args=(options, i)) for i in range(options.readers)]
    contestant.run_publisher(options, children, prepare, publish, started=open_channel)


if __name__ == "__main__":
    main()
