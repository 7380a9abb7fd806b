"""Who is measured, and how each is started."""

import os
from dataclasses import dataclass, field

from daemons import PipeWire, RouDi

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass(frozen=True)
class Contestant:
    name: str
    #: What it is, in a line.
    what: str
    #: The command, up to `publisher` or `reader`.
    command: list = field(hash=False)
    #: Whether the publisher starts the readers itself.
    starts_readers: bool = False
    daemon: type = None
    #: Kinds of runs that it does not take part in, and why.
    without: dict = field(default_factory=dict, hash=False)
    #: What is missing on this machine; empty: nothing.
    missing: str = ""


ours = "frameshare"
floor = "floor"
again = "floor-again"
idle, idle_python = "idle", "idle-python"
original = "queue-getfd"
#: FrameShare from other languages.
in_c, in_python = "frameshare-c", "frameshare-python"
#: What people write in Python.
python_peers = ["shm-ring", original, "picamera2-remote", "iceoryx2-wheel", "zenoh-wheel"]
#: Those that sleep between frames in Python.
paced_by_python = [in_python, *python_peers]
peers = ["iceoryx", "pipewire", "gstreamer-shm", "zeromq", in_c, in_python, *python_peers]
#: Those whose ring is written on, whoever still reads it.
overwriting = [floor, again, "eventfd", "floor-populate"]
names = [floor, again, "eventfd", "floor-populate", ours] + peers

_no_spin = {"spin": "its readers sleep", "connect": "connecting is measured of the floor and FrameShare"}


def everyone(programs):
    """All contestants, also those that can't run here."""

    def built(name):
        return [os.path.join(programs, name)]

    def script(folder, file):
        return ["/usr/bin/python3", os.path.join(HERE, "Peers", folder, file)]

    def missing(name):
        try:
            with open(os.path.join(programs, f"{name}.reason")) as file:
                return file.read().strip() or "could not be made ready"
        except FileNotFoundError:
            return ""

    def peer(name, what, command, **more):
        return Contestant(
            name, what, command, missing=missing(name), without=more.pop("without", {}) | _no_spin, **more
        )

    futex = built("floor")
    return {
        contestant.name: contestant
        for contestant in [
            Contestant(idle, "frames are stamped at the pace, nobody is told", futex),
            Contestant(idle_python, "the same in Python", script("python", "idle.py"), starts_readers=True),
            Contestant(floor, "bare C: one shared futex word, wake all", futex),
            Contestant(again, "the same program once more (A/A): how far its x is from 1 is noise", futex),
            Contestant("eventfd", "bare C: a blocking eventfd for each reader", futex, without=_no_spin),
            Contestant(
                "floor-populate",
                "the floor, whose readers make all pages present when they connect",
                futex,
                without=dict.fromkeys(["paced", "lossless", "ping-pong", "spin", "checks"], ""),
            ),
            Contestant(ours, "FrameShare's Publisher and Subscriber", built("channel-bench")),
            peer("iceoryx", "iceoryx 2.0 (classic) with RouDi, WaitSet", built("iceoryx"), daemon=RouDi),
            peer(
                "pipewire",
                "PipeWire streams, private daemon without a session manager",
                built("pipewire"),
                daemon=PipeWire,
                without=dict.fromkeys(
                    ["lossless", "ping-pong"], "a PipeWire graph has a pace; it has no lossless unpaced mode"
                ),
            ),
            peer("gstreamer-shm", "GStreamer shmsink, shmsrc (copies in)", built("gstreamer-shm")),
            peer("zeromq", "ZeroMQ XPUB, SUB over ipc:// (copies)", built("zeromq")),
            peer(
                "frameshare-python",
                "FrameShare from Python: filled and read in place",
                built("frameshare-python"),
                starts_readers=True,
            ),
            peer(
                "shm-ring",
                "Python multiprocessing.shared_memory ring (copies in)",
                script("shm-ring", "shm_ring.py"),
                starts_readers=True,
            ),
            peer(in_c, "FrameShare from C: libframeshare", built(in_c)),
            peer(
                "picamera2-remote",
                "Python: a pickled request through a queue, as picamera2's remote.py",
                script("picamera2-remote", "picamera2_remote.py"),
                starts_readers=True,
            ),
            peer("iceoryx2-wheel", "iceoryx2 0.10 from Python, with an event", built("iceoryx2-wheel"), starts_readers=True),
            peer("zenoh-wheel", "zenoh 1.10 from Python, shared memory", built("zenoh-wheel"), starts_readers=True),
            peer(
                original,
                "Python: queue, pidfd_getfd and mmap per frame (the original)",
                script("queue-getfd", "queue_getfd.py"),
                starts_readers=True,
            ),
        ]
    }
