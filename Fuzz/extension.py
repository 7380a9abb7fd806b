"""Calls of the Python package's extension, in an order and with arguments that a fuzzer (atheris) makes up: exceptions may come of
them, and nothing else. `Fuzz/python` runs it."""

import os
import sys
import tempfile
import warnings
from typing import Any

import atheris

with atheris.instrument_imports():
    import frameshare

warnings.simplefilter("ignore")
_folder = tempfile.mkdtemp(prefix="fuzz-")
os.environ["FRAMESHARE_DIR"] = _folder
# Some arguments are taken for folders; the corpus is named before.
sys.argv = [sys.argv[0], *(os.path.abspath(word) if os.path.isdir(word) else word for word in sys.argv[1:])]
os.chdir(_folder)
STREAMS = {"main": (36, 20, "YUV420"), "lores": (16, 8, "BGR888"), "jpeg": frameshare.Stream.opaque("jpeg", 64, 48, "MJPEG", 999)}
#: What waits for ever, or ends what all calls are about.
LEFT_OUT = {"close", "_close", "fail", "wait_for_subscriber", "_wait_for_subscribers", "wait_for_group", "drain", "slot", "publish", "ask",
            "next", "anext", "_anext", "_anext_in_thread", "_connect", "_open", "__init__", "__init_subclass__", "__class__", "__dict__",
            "__iter__", "__aenter__", "__aexit__", "__exit__", "save", "reconfigure_buffers", "results"}  # fmt: skip


class Scene:
    def __init__(self) -> None:
        self.publisher = frameshare.Publisher("fuzz", STREAMS, slots=8)
        self.subscriber = frameshare.Subscriber("fuzz", policy="queue:3")
        self.things: list[Any] = [self.publisher, self.subscriber]

    def fresh(self) -> None:
        """A frame and a slot, with their images."""
        slot = self.publisher.try_slot()
        if slot is not None:
            slot.fill("jpeg", b"x")
            slot.publish()
        for made in (self.subscriber.try_next(), self.publisher.try_slot()):
            if made is not None:
                self.things += [made, made["main"], made["jpeg"]]


scene = Scene()


def argument(data: atheris.FuzzedDataProvider) -> Any:
    kind = data.ConsumeIntInRange(0, 9)
    if kind == 0:
        return data.ConsumeInt(9)
    if kind == 1:
        return data.ConsumeFloat()
    if kind == 2:
        return data.ConsumeUnicode(6)
    if kind == 3:
        return data.ConsumeBytes(40)
    if kind == 4:
        return data.PickValueInList(["main", "lores", "jpeg", "queue:2", "BGR888", "monotonic"])
    if kind == 5:
        return [argument(data) for _ in range(data.ConsumeIntInRange(0, 3))]
    if kind == 6:
        return {data.ConsumeUnicode(3): argument(data)}
    if kind == 7:
        return tuple(argument(data) for _ in range(data.ConsumeIntInRange(0, 3)))
    return None if kind == 8 else data.PickValueInList(scene.things)


@atheris.instrument_func
def one_input(raw: bytes) -> None:
    data = atheris.FuzzedDataProvider(raw)
    scene.fresh()
    while data.remaining_bytes() > 0:
        thing = data.PickValueInList(scene.things)
        names = [name for name in dir(thing) if name not in LEFT_OUT]
        name = data.PickValueInList([*names, "[]", "="])
        try:
            if name == "[]":
                made = thing[argument(data)]
            elif name == "=" and type(thing).__name__ == "Slot":
                made = setattr(thing, data.PickValueInList(["metadata", "timestamp", "clock", "sequence", "flags"]), argument(data))
            else:
                made = getattr(thing, name)
                if callable(made):
                    made = made(*[argument(data) for _ in range(data.ConsumeIntInRange(0, 3))])
            if type(made).__name__ in ("Frame", "Image", "Slot", "memoryview", "ndarray"):
                scene.things.append(made)
        except SystemError:
            raise
        except Exception:
            pass
    del scene.things[2:]


atheris.Setup([*sys.argv, "-max_len=300"], one_input)
atheris.Fuzz()
