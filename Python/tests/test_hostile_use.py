"""Whatever the extension's types are given, and whenever: exceptions, never a crash; and what is held is given back."""

from __future__ import annotations

import copy
import ctypes
import gc
import inspect
import io
import os
import pickle
import random
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frameshare
from conftest import PATIENCE
from frameshare import _native

STREAMS = {"main": (36, 20, "YUV420"), "lores": (16, 8, "BGR888")}
SLOTS = 8


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some arguments are taken for folders."""
    monkeypatch.chdir(tmp_path)


class Odd:
    """Answers every question with an exception."""

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __fspath__(self) -> str:
        raise RuntimeError("no path")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    __hash__ = None  # type: ignore[assignment]


class Text(str):
    """A text of a class of its own."""


VALUES: list[Any] = [
    None, True, 0, -1, 1, 2**31, 2**63, 2**64, -(2**64), 10**400, 0.5, float("nan"), float("inf"), 1j, "", "main", Text("main"),
    "a\0b", "\ud800", "é" * 500, b"", b"main", b"\xff" * 100, bytearray(3), memoryview(b"abcdef")[::2], (), (1,), [], [None], {},
    {"main": 1}, {1: 2}, set(), object(), Odd(), int, len, lambda *_: 1, ..., np.zeros(3), np.zeros((20, 36), np.uint16),
    np.zeros((2, 0), np.uint8), np.array(["x"], object), np.float64(1.0), np.int8(-1), range(3), io.BytesIO(b"x"),
]  # fmt: skip


class Scene:
    """A channel, and one object of each type."""

    def __init__(self) -> None:
        self.publisher = frameshare.Publisher("hostile", STREAMS, slots=SLOTS)
        self.subscriber = frameshare.Subscriber("hostile", policy="queue:3")
        with self.publisher.slot() as slot:
            slot.metadata["N"] = 1
        self.frame: Any = self.subscriber.next(PATIENCE)
        self.image: Any = self.frame["main"]
        self.slot: Any = self.publisher.slot(PATIENCE)
        self.target: Any = self.slot["main"]

    def close(self) -> None:
        self.subscriber.close()
        self.publisher.close()

    def objects(self) -> dict[str, Any]:
        return {
            "publisher": self.publisher, "subscriber": self.subscriber, "frame": self.frame, "image": self.image,
            "slot": self.slot, "target": self.target,
        }  # fmt: skip


#: What ends an object, or waits for ever: such calls are made elsewhere.
LEFT_OUT = {
    "publisher": {"close", "_close", "fail", "__exit__", "wait_for_subscriber", "_wait_for_subscribers", "wait_for_group", "drain", "slot",
                  "publish", "ask", "__reduce_ex__"},
    "subscriber": {"_connect", "close", "_close", "__exit__", "__aexit__", "next", "_await_frame", "anext", "__anext__", "__aenter__", "__reduce_ex__"},
    "frame": {"release", "__exit__"},
    "image": {"save"},
    "slot": {"publish", "ask", "discard", "__exit__"},
    "target": {"save"},
}  # fmt: skip


def quietly(call: Callable[[], Any]) -> Any:
    """Any exception will do."""
    try:
        made = call()
        if inspect.iscoroutine(made):
            made.close()
        return made
    except Exception as error:
        assert not isinstance(error, SystemError), error
        return None


def members(kind: str, thing: Any) -> list[str]:
    of_all = set(dir(object))
    waits = ("wait_for_", "_wait_for_", "on_demand")
    return [name for name in dir(thing) if name not in of_all and name not in LEFT_OUT[kind] and not name.startswith(waits)]


@pytest.mark.parametrize("kind", list(LEFT_OUT))
def test_every_member_takes_any_argument(kind: str) -> None:
    scene = Scene()
    thing = scene.objects()[kind]
    for name in members(kind, thing):
        member = quietly(lambda: getattr(thing, name))
        if callable(member):
            quietly(member)
            for value in VALUES:
                quietly(lambda: member(value))
                quietly(lambda: member(value, value))
                quietly(lambda: member(value, value, value))
                quietly(lambda: member(nonsense=value))
        for value in VALUES if kind not in ("publisher", "subscriber") else ():
            quietly(lambda: setattr(type(thing), name, value))
            if kind != "slot":
                quietly(lambda: setattr(thing, name, value))
    for value in VALUES:
        quietly(lambda: thing[value])
        if kind != "subscriber":  # which would wait for frames
            quietly(lambda: value in thing)
        quietly(lambda: thing == value)
    # It is as it was.
    assert scene.frame.number == 1 and scene.image.array.shape == (30, 36)
    scene.close()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_waits_and_slots_take_any_argument(value: Any) -> None:
    scene = Scene()
    if value is not None:  # which is for ever
        for name in ("next", "try_next"):
            quietly(lambda: getattr(scene.subscriber, name)(0 if name == "next" else value, after=value))
    quietly(lambda: scene.subscriber.next("x"))
    quietly(lambda: scene.publisher.publish_slot(value, metadata=value, timestamp=value, clock=value, sequence=value, flags=value, bytes_used=value))
    for attribute in ("metadata", "timestamp", "clock", "sequence", "flags"):
        slot = scene.publisher.slot(0)
        quietly(lambda: setattr(slot, attribute, value))
        quietly(slot.publish)
        slot.discard()
        scene.subscriber.try_next()
    with scene.publisher.slot(0) as slot:
        quietly(lambda: slot.fill("main", value))
        quietly(lambda: slot.fill(value, value))
        quietly(lambda: slot.fill("main", [value] * 3))
        quietly(lambda: slot.set_bytes_used("main", value))
        quietly(lambda: slot.metadata.update({"x": value}))
        quietly(lambda: slot.ask(value, deadline=value, attempts=value, cut_off=value))
        slot.discard()
    scene.close()


@pytest.mark.parametrize("name", [name for name in dir(_native) if not name.startswith("__")])
def test_every_function_takes_any_argument(name: str) -> None:
    scene = Scene()
    monitor = _native.monitor_open("hostile", None)
    function = getattr(_native, name)
    if callable(function):
        for value in [*VALUES, monitor, scene.publisher, scene.frame]:
            for count in range(4):
                quietly(lambda: function(*[value] * count))
            # A handle of another kind, or of the right one.
            for handle in (monitor, scene.publisher):
                quietly(lambda: function(handle, value))
                quietly(lambda: function(handle, value, value))
                quietly(lambda: function(handle, "g", value, value))
    scene.close()


def test_types_are_made_by_the_package_alone() -> None:
    for kind in (frameshare.Frame, frameshare.Image, frameshare.Slot, _native.Handle, _native.Lease, _native.Frames):  # type: ignore[attr-defined]
        with pytest.raises(TypeError):
            kind()
        with pytest.raises(TypeError):
            kind.__new__(kind)
        with pytest.raises(TypeError):
            object.__new__(kind)
        with pytest.raises(TypeError):
            type("Own", (kind,), {})


@pytest.mark.parametrize("kind", [frameshare.Subscriber, frameshare.Publisher])
def test_an_object_that_was_never_opened_says_so(kind: Any) -> None:
    name = "subscriber" if kind is frameshare.Subscriber else "publisher"
    thing = kind.__new__(kind)
    for member in members(name, thing):
        found = quietly(lambda: getattr(thing, member))
        if callable(found):
            quietly(found)
            quietly(lambda: found(0))
    assert "not opened" in repr(thing)
    with pytest.raises(frameshare.Released):
        thing.next(0) if name == "subscriber" else thing.slot(0)
    quietly(thing.close)


def test_an_open_object_is_not_opened_again() -> None:
    scene = Scene()
    with pytest.raises(frameshare.InvalidArgument):
        scene.subscriber.__init__("hostile")  # type: ignore[misc]
    with pytest.raises(frameshare.InvalidArgument):
        scene.publisher.__init__("other", STREAMS)  # type: ignore[misc]
    assert scene.subscriber.channel == "hostile"
    scene.close()


def test_nothing_is_pickled_or_copied() -> None:
    scene = Scene()
    for thing in scene.objects().values():
        for copies in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                copies(thing)
    scene.close()


def test_weak_references_and_cycles() -> None:
    scene = Scene()
    image, frame = weakref.ref(scene.image), weakref.ref(scene.frame)
    scene.frame.metadata["self"] = scene.frame
    scene.slot.metadata["self"] = scene.slot
    slot = weakref.ref(scene.slot)
    loop = iter(scene.subscriber)
    scene.subscriber.loop = loop  # type: ignore[attr-defined]
    assert image() is not None and frame() is not None and scene.subscriber.statistics.held == 1
    scene.image = scene.frame = scene.slot = scene.target = None
    gc.collect()
    assert image() is None and frame() is None and slot() is None
    assert scene.subscriber.statistics.held == 0 and scene.publisher.statistics.slots_free == SLOTS
    kept = weakref.ref(scene.subscriber)
    scene.close()
    del scene, loop
    gc.collect()
    assert kept() is None


def test_a_slot_that_its_publisher_keeps_ends_with_it() -> None:
    scene = Scene()
    scene.publisher.kept = scene.slot  # type: ignore[attr-defined]
    slot, publisher = weakref.ref(scene.slot), weakref.ref(scene.publisher)
    scene.close()
    del scene
    gc.collect()
    assert slot() is None and publisher() is None


def test_what_was_released_stays_so() -> None:
    scene = Scene()
    view, array, shared = memoryview(scene.image), scene.image.array, np.from_dlpack(scene.image)
    scene.frame.release()
    scene.slot.publish()
    for thing, names in ((scene.image, ("array", "planes", "rows", "buffer", "layout", "fds")), (scene.target, ("array", "layout"))):
        for name in names:
            with pytest.raises(frameshare.Released):
                getattr(thing, name)
        for use in (memoryview, np.asarray, thing.to_rgb.__call__, lambda t: t.plane_bytes(0), lambda t: t._over(bytearray(9999), (0, 0, 0), False)):
            with pytest.raises((frameshare.Released, TypeError)):
                use(thing)
    # What had the lease before has it still.
    assert scene.subscriber.statistics.held == 1
    assert bytes(view) == array.tobytes() == shared.tobytes()
    view.release()
    del array, shared, view
    assert scene.subscriber.statistics.held == 0
    scene.close()


def test_a_buffer_says_how_the_image_lies() -> None:
    with frameshare.Publisher("padded", {"main": frameshare.Stream.computed("main", 10, 4, "BGR888", alignment=64)}) as publisher:
        with frameshare.Subscriber("padded") as camera:
            picture = np.arange(120, dtype=np.uint8).reshape(4, 10, 3)
            publisher.publish(picture)
            image = camera.next(PATIENCE)["main"]  # type: ignore[index]
            view = memoryview(image)
            assert (view.shape, view.strides, view.format, view.readonly) == ((4, 10, 3), (64, 3, 1), "B", True)
            assert view.tolist() == picture.tolist() and bytes(image) == picture.tobytes()
            with pytest.raises(BufferError, match="padding"):
                io.BytesIO().write(image)
            with pytest.raises((BufferError, TypeError)):
                io.BytesIO(b"x" * 500).readinto(image)
            assert np.shares_memory(np.asarray(image), image.array) and np.shares_memory(np.asarray(view), image.array)
            with frameshare.Publisher("deep", {"main": (4, 2, "R16")}) as deep, frameshare.Subscriber("deep") as other:
                deep.publish(np.arange(8, dtype=np.uint16).reshape(2, 4) * 256)
                items = memoryview(other.next(PATIENCE)["main"])  # type: ignore[index]
                assert items.tolist() == [[0, 256, 512, 768], [1024, 1280, 1536, 1792]] and items[1, 1] == 1280
            cv2 = pytest.importorskip("cv2")
            assert cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY).shape == (4, 10)


def test_a_padded_image_gives_no_contiguous_buffer_of_any_kind() -> None:
    get, release = ctypes.pythonapi.PyObject_GetBuffer, ctypes.pythonapi.PyBuffer_Release
    get.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int]
    release.argtypes, release.restype = [ctypes.c_void_p], None
    # inspect.h of Python: C, Fortran, either.
    strides, c, fortran, either = 0x18, 0x38, 0x58, 0x98
    room = ctypes.create_string_buffer(256)  # more than a Py_buffer takes
    for alignment, given in ((64, {strides}), (1, {strides, c, either})):
        main = frameshare.Stream.computed("main", 10, 4, "BGR888", alignment=alignment)
        with frameshare.Publisher("padded", {"main": main}) as publisher, frameshare.Subscriber("padded") as camera:
            publisher.publish(np.zeros((4, 10, 3), np.uint8))
            image = camera.next(PATIENCE)["main"]  # type: ignore[index]
            for flags in (strides, c, fortran, either):
                try:
                    get(image, room, flags)
                    release(room)
                    assert flags in given
                except BufferError:
                    assert flags not in given


def test_threads_share_one_frame() -> None:
    scene = Scene()
    stop, failures = threading.Event(), []

    def use(seed: int) -> None:
        choose = random.Random(seed)
        while not stop.is_set():
            frame, slot = scene.frame, scene.slot
            calls: list[Callable[[], Any]] = [
                lambda: frame["main"].array.sum(), lambda: frame["lores"].planes, lambda: memoryview(frame.image()).tobytes(),
                lambda: frame.metadata, lambda: frame.get("N"), frame.release, lambda: np.from_dlpack(frame["main"]),
                lambda: slot.fill("lores", np.zeros((8, 16, 3), np.uint8)), slot.publish, slot.discard, lambda: slot["main"].array,
                lambda: repr(frame), lambda: list(frame.streams),
            ]  # fmt: skip
            try:
                choose.choice(calls)()
            except (frameshare.Released, BufferError):
                pass
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        if scene.slot is not None:
            scene.slot.discard()
        with scene.publisher.slot(PATIENCE) as slot:
            slot.metadata["N"] = 1
        scene.frame = scene.subscriber.next(PATIENCE)
        scene.slot = scene.publisher.slot(PATIENCE)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failures
    scene.close()


RANDOM = """
import random, sys
sys.path.insert(0, sys.argv[3])
import test_hostile_use as hostile
choose = random.Random(int(sys.argv[1]))
scene = hostile.Scene()
things = list(scene.objects().values())
values = hostile.VALUES + [{}, 0, 0.0, "main", "lores"]
waits = {"wait_for_subscriber", "_wait_for_subscribers", "wait_for_group", "drain", "slot", "next", "anext", "wait_for_room", "publish", "ask"}
for _ in range(int(sys.argv[2])):
    thing = choose.choice(things)
    # Python's own views have faults of their own: 3.13's iterator over an unknown format.
    is_own = type(thing).__name__ not in ("memoryview", "ndarray")
    names = [name for name in dir(thing) if is_own or not name.startswith("__")]
    name = choose.choice(names)
    try:
        if name in ("__class__", "__init__", "__del__", "__delattr__", "__dict__") and choose.random() < 0.9:
            continue
        member = getattr(thing, name)
        if name in waits:
            made = member(0) if name not in ("wait_for_group", "publish", "ask") else None
        elif callable(member):
            made = member(*[choose.choice(values + things) for _ in range(choose.randrange(3))])
        else:
            made = member
        if type(made).__name__ in ("Frame", "Image", "Slot", "memoryview", "ndarray", "Frames", "Lease"):
            things.append(made)
        if len(things) > 60:
            things.pop(choose.randrange(len(things)))
    except Exception as error:
        assert not isinstance(error, SystemError), (name, error)
    if choose.random() < 0.01:
        scene.close()
        scene = hostile.Scene()
        things += scene.objects().values()
print("done", file=sys.__stdout__, flush=True)
"""


def test_random_calls_end_no_program(tmp_path: Path) -> None:
    for seed in range(3):
        program = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", RANDOM, str(seed), "4000", os.path.dirname(__file__)],
            capture_output=True, text=True, timeout=4 * PATIENCE, cwd=tmp_path,
        )  # fmt: skip
        assert program.returncode == 0 and "done" in program.stdout, (seed, program.returncode, program.stderr[-3000:])


def test_a_sub_interpreter_is_refused_in_words() -> None:
    code = "\n".join([
        "import frameshare",
        "try: import _interpreters as i",
        "except ImportError: import _xxsubinterpreters as i",
        "one = i.create()",
        "i.run_string(one, 'try:\\n import frameshare\\nexcept ImportError as error: print(error, flush=True)')",
        "i.destroy(one)",
    ])  # fmt: skip
    program = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    # In words of our own; from 3.12 on it may be Python that refuses.
    assert "interpreter" in program.stdout and program.returncode == 0, program.stderr


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("numpy", "PIL", "cv2"):
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Absent())
import frameshare
assert not {"numpy", "asyncio"} & set(sys.modules)
with frameshare.Publisher("plain", {"main": (4, 2, "R8"), "jpeg": frameshare.Stream.opaque("jpeg", 4, 2, "MJPEG", 100)}) as publisher:
    with frameshare.Subscriber("plain") as camera:
        with publisher.slot() as slot:
            memoryview(slot["main"])[1, 2] = 7
            slot.fill("jpeg", b"abc")
            slot.metadata.update(N=1, Gains=[1.5, 2.5], Names=["a"])
        frame = camera.next(60)
        assert memoryview(frame["main"]).tolist() == [[0, 0, 0, 0], [0, 0, 7, 0]]
        assert bytes(frame["jpeg"]) == b"abc" and frame.metadata == {"N": 1, "Gains": [1.5, 2.5], "Names": ["a"]}
        try:
            frame["main"].array
        except ImportError as error:
            print(error)
"""


def test_the_package_works_without_numpy() -> None:
    program = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=PATIENCE)
    assert program.returncode == 0 and "pip install numpy" in program.stdout, program.stderr


RELEASED = """
import sys
import frameshare
class Meddler:
    def find_spec(self, name, *_):
        # As another thread or a signal's handler might while the import runs.
        if name == "numpy":
            frame.release()
sys.meta_path.insert(0, Meddler())
with frameshare.Publisher("camera", {"main": (4, 2, "R8")}) as publisher, frameshare.Subscriber("camera") as camera:
    with publisher.slot() as slot:
        memoryview(slot["main"])[1, 2] = 7
    frame = camera.next(60)
    array = frame["main"].array
    assert array[1, 2] == 7 and camera.statistics.held == 1
    del array
    assert camera.statistics.held == 0
"""

BROKEN = """
import sys
import frameshare
words = "the numpy of this machine does not work"
class Broken:
    def find_spec(self, name, *_):
        if name == "numpy" and is_broken:
            raise kind(words)
sys.meta_path.insert(0, Broken())
with frameshare.Publisher("camera", {"main": (4, 2, "R8")}) as publisher:
    with publisher.slot() as slot:
        for kind in (ImportError, RuntimeError, ModuleNotFoundError):
            is_broken = True
            try:
                slot["main"].array
            except kind as error:
                assert str(error) == words and type(error) is kind, error
            else:
                raise AssertionError
        is_broken = False
        import numpy._core._multiarray_umath as core
        kept = core._ARRAY_API
        core._ARRAY_API = None
        for _ in range(2):
            try:
                slot["main"].array
            except RuntimeError as error:
                assert "PyCapsule" in str(error)
            else:
                raise AssertionError
        core._ARRAY_API = kept
        assert slot["main"].array.shape == (2, 4)
"""


@pytest.mark.parametrize("program", [RELEASED, BROKEN], ids=["a frame is released meanwhile", "numpy does not work"])
def test_numpy_is_loaded_with_the_first_array_whatever_happens(program: str) -> None:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=2 * PATIENCE)
    assert ended.returncode == 0, ended.stderr


def test_times_that_are_no_numbers_are_refused_in_words() -> None:
    scene = Scene()
    for wait in (scene.subscriber.next, scene.publisher.slot, scene.publisher.drain, scene.publisher.wait_for_room):
        with pytest.raises(TypeError, match="number of seconds.*str"):
            wait(timeout="x")
    scene.close()


def test_arrays_of_a_slot_outlive_the_slot_and_the_publisher() -> None:
    publisher = frameshare.Publisher("outlived", STREAMS)
    slot = publisher.slot(PATIENCE)
    array, view = slot["main"].array, memoryview(slot["lores"])
    slot.publish()
    discarded = publisher.slot(PATIENCE)
    planes = discarded["main"].planes
    discarded.discard()
    held = publisher.slot(PATIENCE)
    image = held["lores"]
    publisher.reconfigure({"main": (8, 8, "R8")})
    publisher.close()
    del publisher, slot
    gc.collect()
    array[:] = 1
    view[0, 0, 0] = 2
    assert array.sum() == array.size and bytes(view)[0] == 2 and planes[0].sum() >= 0 and image.array.sum() >= 0
