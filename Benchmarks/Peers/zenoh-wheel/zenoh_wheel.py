"""zenoh by its Python wheel, with shared memory: the publisher's bytes lie in it, a reader's binding copies them out."""

import json
import os
import sys
from multiprocessing import Process, set_start_method

import zenoh
import zenoh.shm

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import contestant  # noqa: E402


def session(side):
    """A session of the publisher ("listen") or a reader ("connect"), over a socket of the run's own."""
    config = zenoh.Config()
    path = os.path.realpath(os.path.join(os.environ.get("BENCH_DIR", "."), "zenoh"))
    settings = {
        "mode": "peer",
        "scouting/multicast/enabled": False,
        "transport/shared_memory/enabled": True,
        "listen/endpoints": [],
        f"{side}/endpoints": [f"unixsock-stream/{path}"],
    }
    for key, value in settings.items():
        config.insert_json5(key, json.dumps(value))
    return zenoh.open(config)


def read(options, reader):
    book = contestant.Reader(options, reader)
    while not os.path.exists(os.path.join(os.environ.get("BENCH_DIR", "."), "open")):
        contestant.time.sleep(0.001)
    with session("connect") as own:
        subscriber = own.declare_subscriber("bench/frames")
        contestant.time.sleep(0.2)  # until the publisher knows of it
        book.connected()
        while book.received(memoryview(subscriber.recv().payload.to_bytes())):
            pass
    book.end()


def main():
    options = contestant.arguments()
    set_start_method("fork")
    own = {}

    def open_channel():
        own["session"] = session("listen")
        block = zenoh.CongestionControl.BLOCK if options.rate == 0 else zenoh.CongestionControl.DROP
        own["publisher"] = own["session"].declare_publisher("bench/frames", congestion_control=block)
        own["memory"] = zenoh.shm.ShmProvider.default_backend((options.slots + 2) * (options.size + 4096))

    def prepare():
        if "slot" not in own:
            own["slot"] = own["memory"].alloc(options.size, policy=zenoh.shm.BlockOn(zenoh.shm.GarbageCollect()))

    def publish(number, stamp):
        prepare()
        slot = own.pop("slot")
        # It has no buffer protocol.
        if options.fill == "all":
            slot[16 : options.size] = bytes([number & 0xFF]) * (options.size - 16)
        slot[0:16] = contestant.HEAD.pack(number, stamp)
        own["publisher"].put(slot)

    children = [Process(target=read, args=(options, i)) for i in range(options.readers)]
    contestant.run_publisher(options, children, prepare, publish, started=open_channel)


if __name__ == "__main__":
    main()
