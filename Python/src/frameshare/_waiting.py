"""Waiting in threads, where Ctrl-C must work."""

from __future__ import annotations

import contextlib
import importlib
import signal
import threading
import time
from typing import Any, Generator

# The module that `signal` wraps, whose enumerations cost more than the calls.
_signal: Any = importlib.import_module("_signal")

# Python runs signal handlers in the main thread alone, and not inside a call: so a wait comes back this often there. (Waits for
# the library need no such thing: it asks.)
SLICE = 0.05


class Condition(threading.Condition):
    """A condition that Ctrl-C leaves as it was: Python's own leaves its lock taken, or takes it no more, where a signal comes
    between two of its steps. Both sleep on where a signal comes in the last moment before: wait no longer than `SLICE`.
    """

    def __init__(self) -> None:
        super().__init__(threading.RLock())

    # The lock's own methods: there is no moment for a signal between the lock and the block that it guards.
    __enter__: Any = property(lambda self: self._lock.__enter__)
    __exit__: Any = property(lambda self: self._lock.__exit__)

    def wait(self, timeout: float | None = None) -> bool:
        try:
            return super().wait(timeout)
        finally:
            while not self._is_owned():  # type: ignore[attr-defined]
                self.acquire()


def join(thread: threading.Thread, timeout: float | None = None) -> None:
    """Waits for a thread's end; Ctrl-C ends the waiting."""
    end = None if timeout is None else time.monotonic() + timeout
    while thread.is_alive() and (end is None or time.monotonic() < end):
        thread.join(SLICE)


def _noting(came: list[Any]) -> Any:
    """A handler of signals that notes what was interrupted."""

    def note(_: int, frame: Any) -> None:
        came.append(frame)

    return note


class Uninterrupted:
    """A block that Ctrl-C comes after, so that it begins and ends as a whole: in the main thread, where Python raises it. In other
    threads it does nothing. Processes are not to be started in it (`interrupts_held`)."""

    __slots__ = ("_came", "_handler")

    def __enter__(self) -> None:
        self._handler: Any = None
        if threading.get_ident() != threading.main_thread().ident:
            return
        handler = _signal.getsignal(signal.SIGINT)
        if callable(handler):
            self._came: list[Any] = []
            came = self._came
            self._handler = handler
            _signal.signal(signal.SIGINT, _noting(came))

    def __exit__(self, *_: object) -> None:
        handler = self._handler
        if handler is not None:
            _signal.signal(signal.SIGINT, handler)
            if self._came:
                handler(signal.SIGINT, self._came[0])


@contextlib.contextmanager
def interrupts_held() -> Generator[None, None, None]:
    """Ctrl-C comes after the block, which so begins and ends as a whole; and never to processes that are started in it."""
    before = _signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handler: Any = None
    came: list[Any] = []
    if threading.current_thread() is threading.main_thread():
        # The mask of this thread does not do: another thread may have the signal, and Python raises it in this one.
        handler = _signal.getsignal(signal.SIGINT)
        if callable(handler):
            _signal.signal(signal.SIGINT, _noting(came))
    try:
        _signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        yield
    finally:
        _signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if callable(handler):
            _signal.signal(signal.SIGINT, handler)
            if came:
                handler(signal.SIGINT, came[0])
