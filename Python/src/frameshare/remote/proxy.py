"""A process that takes a camera's frames by itself."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import numpy.typing as npt

from .. import errors
from .._arguments import bounded
from .child import Taker
from .dispatch import Dispatcher
from .request import RemoteRequest, shaped

# What does not go to the other process.
_OF_PARENT = ("_picam2", "_dispatcher")


class Picamera2Proxy:
    """A process that receives a camera's frames. Subclass it; ``run`` is what the process does:

    >>> class Brightness(Picamera2Proxy):
    ...     def run(self):
    ...         while (array := self.capture_array()) is not None:
    ...             print(array.mean())
    >>> proxy = Brightness(picam2)
    >>> proxy.start()
    >>> for _ in range(100):
    ...     proxy.send(picam2.capture_request())
    >>> proxy.close()

    No frame is missed: those that are sent while the process starts wait for it. Each is the camera's again when the process
    asks for the next. ``name`` is the stream that ``capture_array`` gives. What else the object has goes to the process as it
    is when it starts. A proxy that has ended is not started again; requests that are sent to it go back to the camera.
    """

    def __init__(self, picam2: Any, name: str = "main", *args: Any, **kwargs: Any) -> None:
        """Other arguments are ``multiprocessing.Process``'s: ``target``, and its ``args`` and ``kwargs``, are called where
        there is no ``run`` of one's own."""
        names = ("group", "target", "_", "args", "kwargs")
        process = {**dict(zip(names, args)), **kwargs}
        unknown = set(process) - {*names, "daemon"}
        if unknown:
            raise TypeError(f"a proxy takes no {', '.join(sorted(unknown))}")
        self._picam2 = picam2
        self._stream = name
        self._target = process.get("target")
        self._args, self._kwargs = tuple(process.get("args") or ()), dict(process.get("kwargs") or {})
        self._dispatcher: Dispatcher | None = None
        self._taker: Taker | None = None
        configuration = picam2.camera_configuration()
        streams = [each for each, stream in picam2.stream_map.items() if stream is not None] if configuration else [name]
        if name not in streams:
            raise errors.InvalidArgument(f"the camera has no stream {name!r}; it has {', '.join(streams)}")
        #: The stream's configuration: size, format, stride.
        self.config: dict[str, Any] = dict(configuration[name]) if configuration else {}

    # In the process

    def run(self) -> None:
        """What the process does."""
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def capture_array(self, name: str | None = None) -> npt.NDArray[Any] | None:
        """The next frame's pixels, in place; waits for it. None when the camera's process has closed the proxy, or ended.

        The array is of use until the next is asked for. Copy what is to be kept.
        """
        request = self.capture_request()
        return None if request is None else shaped(request._image(name or self._stream))

    def capture_request(self) -> RemoteRequest | None:
        """As ``capture_array``: all of the frame's streams, and its metadata."""
        if self._taker is None:
            raise RuntimeError("frames are for the proxy's own process: call this in run()")
        return self._taker.next()

    def take_from(self, taker: Taker) -> None:
        """Runs, in the process."""
        self._taker = taker
        try:
            self.run()
            taker.done()
        except (SystemExit, KeyboardInterrupt):
            raise  # it wants the process to end
        except BaseException as error:
            taker.fail(error)
            raise
        finally:
            taker.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, **dict.fromkeys(_OF_PARENT)}

    # In the camera's process

    def start(self) -> None:
        """Starts the process; ``send`` does it too. Twice does nothing."""
        if self._dispatcher is None:
            self._dispatcher = Dispatcher(self, 1, self._picam2, None, None, None, restart=False)

    def send(self, request: Any) -> Future[Any]:
        """Hands a request over, with the caller's hold on it: it is the camera's again when the process has done with it, or
        when it can't be sent. The Future says when that is."""
        try:
            self.start()
            assert self._dispatcher is not None
            return self._dispatcher.send(request, {})
        finally:
            if getattr(request, "request", None) is not None:  # else it is none, or was released before
                request.release()

    def close(self, timeout: float | None = None) -> None:
        """Waits until the process has had all that was sent, lets ``capture_array`` give None, and waits for its end. With a
        ``timeout`` in seconds, what it has not had by then is given up, and a process that goes on is killed."""
        if self._dispatcher is not None:
            self._dispatcher.close(timeout)

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end of the process."""
        end = None if timeout is None else time.monotonic() + bounded("timeout", timeout)
        while self.is_alive() and (end is None or time.monotonic() < end):
            time.sleep(0.01)

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.pid is not None

    @property
    def pid(self) -> int | None:
        """The process's number, while it runs."""
        pids = [] if self._dispatcher is None else self._dispatcher.workers.pids
        return pids[0] if pids else None

    @property
    def exitcode(self) -> int | None:
        """What it ended with, as ``multiprocessing.Process`` has it; None before that."""
        return None if self._dispatcher is None or self.is_alive() else self._dispatcher.workers.exit_code

    def terminate(self) -> None:
        """Ends the process at once."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)

    def __enter__(self) -> Picamera2Proxy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
