"""A request on its way to a worker and back."""

from __future__ import annotations

import atexit
import contextlib
import logging
import time
import weakref
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import TYPE_CHECKING, Any

from .. import errors
from .._waiting import SLICE, Condition
from ..groups import Pending
from .held import HeldBuffers

if TYPE_CHECKING:
    from .dispatch import Dispatcher

_log = logging.getLogger("frameshare")


class RemoteTraceback(Exception):
    """Where an exception in a worker came from, in words: the ``__cause__`` of what a Future raises."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class RequestFuture(Future[Any]):
    """What became of a request. Where that is an exception which nobody asks for, it is logged, with its traceback."""

    def __init__(self) -> None:
        super().__init__()
        # Programs spend their time here, and are interrupted here.
        self._condition = Condition()
        self._asked = False
        #: Who knows more of it, until it is done.
        self.dispatcher: Dispatcher | None = None
        #: Whether it is done, or about to be. Under the dispatcher's lock.
        self.is_told = False

    def running(self) -> bool:
        if self.dispatcher is not None:
            self.dispatcher.look_who_began()
        return super().running()

    def begin(self) -> None:
        """A worker has begun with the request."""
        if self._state == "PENDING":
            self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        dispatcher = self.dispatcher
        if dispatcher is not None:
            dispatcher.look_who_began()
        is_cancelled = super().cancel()
        if is_cancelled and dispatcher is not None:
            dispatcher.kick()
        return is_cancelled

    def result(self, timeout: float | None = None) -> Any:
        result = None
        try:
            self._await(timeout)
            result = super().result(0)
        finally:
            self._asked = self.done()
        return result

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._await(timeout)
        error = super().exception(0)
        self._asked = True
        return error

    def _await(self, timeout: float | None) -> None:
        """Until it is done, or the time is over; in slices, or Ctrl-C might not end it. A slice may end at the same moment as
        the wait: only the state counts."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.done() and (end is None or time.monotonic() < end):
            left = SLICE if end is None else min(SLICE, max(0.0, end - time.monotonic()))
            dispatcher = self.dispatcher
            if dispatcher is not None and dispatcher.listen_for(self, left):
                continue
            with contextlib.suppress(TimeoutError, CancelledError):
                super().exception(left)

    def set_exception(self, exception: BaseException | None) -> None:
        super().set_exception(exception)
        _failed.add(self)

    def end(self, value: Any, error: BaseException | None) -> None:
        """Says what became of it. Where it was cancelled, those that wait for it beside others hear of that now."""
        self.dispatcher = None
        try:
            if error is None:
                self.set_result(value)
            else:
                self.set_exception(error)
        except InvalidStateError:
            with self._condition:
                if self._state == "CANCELLED":  # and nobody was told yet
                    self.set_running_or_notify_cancel()

    def end_quietly(self, value: Any, error: BaseException | None) -> bool:
        """The same where nobody has a callback; else False."""
        # None is added in between.
        with self._condition:
            if self._done_callbacks:  # type: ignore[attr-defined]
                return False
            self.end(value, error)
            return True

    def log_unasked(self) -> None:
        """Logs an exception that nobody has asked for. Twice does nothing."""
        if self._asked or not self.done() or self.cancelled():
            return
        self._asked = True
        error = super().exception(0)
        # Of a limit, frames are dropped as it was told to.
        if error is not None and not isinstance(error, (errors.Busy, CancelledError)):
            _log.error("a request's worker failed, and nobody asked its Future: %s", error, exc_info=error)

    def __del__(self) -> None:
        self.log_unasked()


# Those that somebody still has when the program ends.
_failed: weakref.WeakSet[RequestFuture] = weakref.WeakSet()


@atexit.register
def _log_the_last() -> None:
    for future in list(_failed):
        future.log_unasked()


class Job:
    """A request on its way. It ends once; its camera buffer goes back once nobody reads it any more."""

    def __init__(
        self, request: Any, configured: Any, buffer: tuple[int, int], metadata: dict[str, Any], place: Any, held: HeldBuffers
    ) -> None:
        self.request, self.configured, self.buffer = request, configured, buffer
        self._held = held
        self.metadata = metadata
        #: Where its arguments lie in the arena.
        self.place = place
        self.future = RequestFuture()
        self.sent = time.monotonic()
        #: While a worker has it, or is about to.
        self.pending: Pending | None = None
        #: The channel's generation, and the slot, that it was published from last.
        self.generation, self.slot = 0, -1
        #: Whether that slot may still be read by somebody.
        self.out = False
        #: When a worker began with it, and which.
        self.begun: float | None = None
        self.pid = 0
        self.timed_out = False
        self.over = False
        self._released = False

    def keep(self) -> None:
        """The request is not the camera's until it is released."""
        self.request.acquire()
        self._held.keep(self.request.picam2, self.buffer)

    def release(self) -> None:
        """The request is the camera's again."""
        if not self._released:
            self._released = True
            self._held.give_back(self.request, self.buffer)
