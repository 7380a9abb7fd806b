"""Groups of workers: each frame goes to one of them, and its answer comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, AsyncIterator, Generator, Iterator, Mapping, Union

from . import _native, errors
from ._arguments import nanoseconds, whole
from ._readable import Readable
from .metadata import Value

#: What a worker says: nothing but that it is done, bytes (or whatever has the buffer protocol), or values by name.
Reply = Union[None, bytes, bytearray, memoryview, Mapping[str, Value], Any]


class Request:
    """What the publisher wants of a member of a group: an answer to one frame. See ``Frame.request``.

    It may be used from any thread, and after the frame was released, as long as the subscriber is open. A reply that
    nobody waits for any more is discarded.
    """

    def __init__(self, handle: Any, frame: int) -> None:
        self._handle = handle
        #: The frame's number.
        self.frame = frame
        #: Whether ``answer`` or ``fail`` was called.
        self.ended = False

    @property
    def cancelled(self) -> bool:
        """Whether the publisher does not want the answer any more: it gave up waiting, or was told to."""
        return _native.request_is_cancelled(self._handle)

    def progress(self, reply: Reply = None) -> None:
        """Says how far the work is; the answer is still to come."""
        self._send(_native.request_progress, reply)

    def answer(self, reply: Reply = None) -> None:
        """Answers, once. At most 64 MiB; what is larger than 16 kB travels in shared memory."""
        self._send(_native.request_answer, reply)
        self.ended = True

    def fail(self, reason: str) -> None:
        """Says that there will be no answer, and why."""
        _native.request_fail(self._handle, reason.replace("\0", " "))
        self.ended = True

    def _send(self, send: Any, reply: Reply) -> None:
        if isinstance(reply, Mapping):
            send(self._handle, reply, None)
        else:
            send(self._handle, None, reply)

    def __repr__(self) -> str:
        return f"<frameshare.Request for frame {self.frame}>"


@dataclass(frozen=True)
class Answer:
    """A worker's reply."""

    #: The number of the frame that it belongs to.
    frame: int
    #: The worker's number, as ``SubscriberStatus.id`` has it.
    worker: int
    #: Bytes, or a dictionary.
    value: Any

    def __getitem__(self, key: str) -> Any:
        return self.value[key]


@dataclass(frozen=True)
class Result:
    """What became of one frame that a group was given."""

    frame: int
    #: None where there is no answer.
    answer: Answer | None
    #: Why there is none; None where there is one.
    error: errors.FrameShareError | None

    @property
    def value(self) -> Any:
        """The answer's value. Raises ``error`` where there is none."""
        if self.answer is None:
            raise self.error or errors.WorkError("there is no answer")
        return self.answer.value


def _result(taken: Any) -> Result:
    """A result as the extension has it."""
    frame, worker, value, error = taken
    return Result(frame, None if error is not None else Answer(frame, worker, value), error)


def _answer(taken: Any) -> Answer:
    frame, worker, value, error = taken
    if error is not None:
        raise error
    return Answer(frame, worker, value)


class Pending:
    """The answer to one frame, while it is waited for: by ``result()``, or ``await``.

    >>> pending = publisher.ask("detectors", picture)
    >>> pending.result()["boxes"]        # or: (await pending)["boxes"]

    Dropping it does not cancel the request; ``cancel()`` does, and so does cancelling a task that awaits it.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        #: The frame's number.
        self.frame = _native.pending_frame(handle)
        self._readable: Readable | None = None

    def result(self, timeout: float | None = None) -> Answer:
        """The answer; waits for it. Raises why there is none; ``TimedOut`` leaves the request open."""
        return _answer(_native.pending_answer(self._handle, timeout))

    def progress(self, timeout: float | None = None) -> Answer | None:
        """What the worker says on its way: the next such reply. None once the request has ended."""
        taken = _native.pending_progress(self._handle, timeout)
        return None if taken is None else _answer(taken)

    def __iter__(self) -> Iterator[Answer]:
        """What the worker says on its way, until the request ends."""
        while (reply := self.progress()) is not None:
            yield reply

    def fileno(self) -> int:
        """For event loops: an eventfd, readable (read 8 bytes to clear it) when something has come."""
        return _native.pending_poll_fd(self._handle)

    def __await__(self) -> Generator[Any, None, Answer]:
        return self._awaited(self.result).__await__()

    async def __aiter__(self) -> AsyncIterator[Answer]:
        while (reply := await self._awaited(self.progress)) is not None:
            yield reply

    async def _awaited(self, take: Any) -> Any:
        try:
            while True:
                try:
                    return take(0)
                except errors.TimedOut:
                    self._readable = self._readable or Readable(clear=True)
                    await self._readable.wait(self.fileno())
        except BaseException as error:
            if not isinstance(error, errors.FrameShareError):
                self.cancel()
            raise

    def cancel(self) -> None:
        """Gives the request up: who waits for it gets ``Cancelled``, and its worker is told."""
        _native.pending_cancel(self._handle)

    def __repr__(self) -> str:
        return f"<frameshare.Pending answer to frame {self.frame}>"


class Results:
    """The results of all frames that a group is given, as they come or in order. See ``Publisher.results``."""

    def __init__(self, handle: Any) -> None:
        self._handle: Any = handle
        self._readable = Readable(clear=True)

    def _open(self) -> Any:
        if self._handle is None:
            raise errors.Released("these results were closed")
        return self._handle

    def next(self, timeout: float | None = None) -> Result | None:
        """The next result; waits for it. None when the channel has ended."""
        taken = _native.results_next(self._open(), timeout)
        return None if taken is None else _result(taken)

    def __iter__(self) -> Iterator[Result]:
        while (result := self.next()) is not None:
            yield result

    def fileno(self) -> int:
        """For event loops: readable when ``next(0)`` should be called, until that raises ``TimedOut``."""
        return _native.results_poll_fd(self._open())

    async def anext(self) -> Result | None:
        """As ``next``, for asyncio."""
        while True:
            try:
                return self.next(0)
            except errors.TimedOut:
                await self._readable.wait(self.fileno())

    async def __aiter__(self) -> AsyncIterator[Result]:
        while (result := await self.anext()) is not None:
            yield result

    @property
    def missed(self) -> int:
        """Results that were dropped since nobody read them in time."""
        return _native.results_missed(self._open())

    def close(self) -> None:
        """Ends it; the group can have another reader. Twice does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._readable.end()
            handle.close()

    def __enter__(self) -> Results:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()


def ask_options(deadline: float | None = 10.0, attempts: int = 1, cut_off: bool = False) -> dict[str, int]:
    """How a group is asked, as the extension takes it."""
    return {
        "deadline": -1 if deadline is None else max(1, nanoseconds("deadline", deadline)),
        "attempts": max(1, whole("attempts", attempts, -(2**31))),
        "cut_off": bool(cut_off),
    }
