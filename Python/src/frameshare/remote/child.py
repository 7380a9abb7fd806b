"""The worker process: takes frames, runs the user's function on them, answers."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from types import SimpleNamespace
from typing import Any, Callable

from .. import errors
from ..frames import Frame
from ..subscriber import Subscriber
from .request import OWN_KEYS, RemoteRequest

#: The members of a pool's group, and what each frame says to them.
CHANNEL, GROUP = "pool", "workers"
KWARGS, KWARGS_FILE = OWN_KEYS + "kwargs", OWN_KEYS + "kwargs.file"


def main(directory: str, run: Callable[..., Any], init: Callable[[], None] | None, camera: dict[str, Any]) -> None:
    """Works until the pool closes, or its process ends."""
    # Ctrl-C is the parent's to answer: what is being worked on is finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if init is not None:
        init()
    configurations = Configurations(directory)
    try:
        subscriber = Subscriber(CHANNEL, group=GROUP, policy="queue:1", budget=2, directory=directory, name="worker")
        while (frame := subscriber.next()) is not None:
            _work_on(frame, run, configurations, camera)
    except (errors.PublisherLost, errors.NoSuchChannel, errors.Released, errors.Disconnected):
        pass  # the parent has gone, or has given us up


def _work_on(
    frame: Frame, run: Callable[..., Any], configurations: Configurations, camera: dict[str, Any]
) -> None:
    asked = frame.request
    assert asked is not None  # every member's frame has one
    # From now on the frame is nobody else's to work on, and its time counts.
    asked.progress({"pid": os.getpid()})
    try:
        with frame:
            request = RemoteRequest(frame, configurations.of(frame.generation), camera)
            reply = pickle.dumps((True, run(request, **_kwargs(frame))))
    except Exception as error:
        reply = _failure(error)
    # Given back before the answer: whoever hears the answer can use the slot again.
    asked.answer(reply)


def _kwargs(frame: Frame) -> dict[str, Any]:
    path = frame.get(KWARGS_FILE)
    if path is not None:
        with open(path, "rb") as file:
            return dict(pickle.load(file))
    blob = frame.get(KWARGS)
    return dict(pickle.loads(blob)) if blob else {}


def _failure(error: Exception) -> bytes:
    """An exception as bytes, with its traceback in words; another in its place where it can't travel."""
    text = "".join(traceback.format_exception(error))
    try:
        reply = pickle.dumps((False, error, text))
        pickle.loads(reply)
        return reply
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}"), text))


class Configurations:
    """The camera's configurations, each read once, when its first frame comes."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._generation = 0
        self._config: dict[str, Any] = {}

    def of(self, generation: int) -> dict[str, Any]:
        if generation != self._generation:
            with open(path_of_configuration(self._directory, generation), "rb") as file:
                self._config = _with_libcamera(pickle.load(file))
            self._generation = generation
        return dict(self._config)


def path_of_configuration(directory: str, generation: int) -> str:
    return os.path.join(directory, f"configuration-{generation}")


def portable(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration that can be pickled: libcamera's own objects as tuples. A USB camera has no colour space."""
    result = {}
    for key, value in config.items():
        if key == "transform" and value is not None:
            value = (value.hflip, value.vflip, value.transpose)
        elif key == "colour_space" and hasattr(value, "transferFunction"):
            value = (value.primaries, value.transferFunction, value.ycbcrEncoding, value.range)
        try:
            pickle.dumps(value)
        except Exception:
            continue
        result[key] = value
    return result


def _with_libcamera(config: dict[str, Any]) -> dict[str, Any]:
    """The same with libcamera's objects in it again, or with what has their attributes where libcamera is missing."""
    transform, space = config.get("transform"), config.get("colour_space")
    try:
        from libcamera import ColorSpace, Transform
    except ImportError:
        def Transform(hflip: Any, vflip: Any, transpose: Any) -> Any:
            return SimpleNamespace(hflip=hflip, vflip=vflip, transpose=transpose)

        def ColorSpace(p: Any, f: Any, e: Any, r: Any) -> Any:
            return SimpleNamespace(primaries=p, transferFunction=f, ycbcrEncoding=e, range=r)

    if isinstance(transform, tuple):
        config["transform"] = Transform(hflip=transform[0], vflip=transform[1], transpose=transform[2])
    if isinstance(space, tuple):
        config["colour_space"] = ColorSpace(*space)
    return config
