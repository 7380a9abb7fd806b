"""Groups of workers: each frame goes to one of them, and its answer comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, AsyncIterator, Generator, Iterator, Mapping, Union

from . import errors, metadata
from ._library import ENDED, NOT_FOUND, check, encoded, exception, ffi, lib, nanoseconds, struct, text, whole
from ._waiting import Readable, wait
from .metadata import MetadataWriter, Value

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
        result = ffi.new("int *")
        check(lib.frameshare_request_is_cancelled(self._handle, result))
        return bool(result[0])

    def progress(self, reply: Reply = None) -> None:
        """Says how far the work is; the answer is still to come."""
        self._send(lib.frameshare_request_progress, reply)

    def answer(self, reply: Reply = None) -> None:
        """Answers, once. At most 64 MiB; what is larger than 16 kB travels in shared memory."""
        self._send(lib.frameshare_request_answer, reply)
        self.ended = True

    def fail(self, reason: str) -> None:
        """Says that there will be no answer, and why."""
        check(lib.frameshare_request_fail(self._handle, encoded(reason.replace("\0", " "))))
        self.ended = True

    def _send(self, send: Any, reply: Reply) -> None:
        if reply is None:
            check(send(self._handle, ffi.NULL, ffi.NULL, 0))
        elif isinstance(reply, Mapping):
            writer = MetadataWriter()
            check(send(self._handle, writer.fill(reply, keep_empty=True), ffi.NULL, 0))
        else:
            data = ffi.from_buffer(reply)
            check(send(self._handle, ffi.NULL, data, ffi.sizeof(data)))

    def __del__(self) -> None:
        lib.frameshare_request_release(self._handle)

    def __repr__(self) -> str:
        return f"<frameshare.Request for frame {self.frame}>"


def request_of(frame: Any, number: int) -> Request | None:
    """The request of a frame's handle; None unless its subscriber is a member of a group."""
    pointer = ffi.new("frameshare_request **")
    if check(lib.frameshare_frame_request(frame, pointer)) == NOT_FOUND:
        return None
    return Request(pointer[0], number)


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


def _take(pointer: Any) -> Result:
    """Makes Python's own of an answer, and releases it."""
    handle, info = pointer[0], struct("answer_info")
    try:
        check(lib.frameshare_answer_get_info(handle, info))
        if info.result != 0:
            return Result(info.frame, None, exception(info.result, text(info.reason)))
        if info.is_metadata:
            value: Any = metadata.read(handle, lib.frameshare_answer_metadata_next)
        else:
            value = bytes(ffi.buffer(info.data, info.size)) if info.size else b""
        return Result(info.frame, Answer(info.frame, info.worker, value), None)
    finally:
        lib.frameshare_answer_release(handle)


class Pending:
    """The answer to one frame, while it is waited for: by ``result()``, or ``await``.

    >>> pending = publisher.ask("detectors", picture)
    >>> pending.result()["boxes"]        # or: (await pending)["boxes"]

    Dropping it does not cancel the request; ``cancel()`` does, and so does cancelling a task that awaits it.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        number = ffi.new("uint64_t *")
        check(lib.frameshare_pending_frame(handle, number))
        #: The frame's number.
        self.frame = int(number[0])
        self._readable = Readable(self.fileno, clear=True)

    def result(self, timeout: float | None = None) -> Answer:
        """The answer; waits for it. Raises why there is none; ``TimedOut`` leaves the request open."""
        pointer = ffi.new("frameshare_answer **")
        wait(lambda part: int(lib.frameshare_pending_answer(self._handle, part, pointer)), timeout)
        return _answer(pointer)

    def progress(self, timeout: float | None = None) -> Answer | None:
        """What the worker says on its way: the next such reply. None once the request has ended."""
        pointer = ffi.new("frameshare_answer **")
        result = wait(lambda part: int(lib.frameshare_pending_progress(self._handle, part, pointer)), timeout)
        return None if result == ENDED else _answer(pointer)

    def __iter__(self) -> Iterator[Answer]:
        """What the worker says on its way, until the request ends."""
        while (reply := self.progress()) is not None:
            yield reply

    def fileno(self) -> int:
        """For event loops: an eventfd, readable (read 8 bytes to clear it) when something has come."""
        fd = ffi.new("int *")
        check(lib.frameshare_pending_poll_fd(self._handle, fd))
        return int(fd[0])

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
                    await self._readable.wait()
        except BaseException as error:
            if not isinstance(error, errors.FrameShareError):
                self.cancel()
            raise

    def cancel(self) -> None:
        """Gives the request up: who waits for it gets ``Cancelled``, and its worker is told."""
        check(lib.frameshare_pending_cancel(self._handle))

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle is not None:
            lib.frameshare_pending_release(handle)

    def __repr__(self) -> str:
        return f"<frameshare.Pending answer to frame {self.frame}>"


def _answer(pointer: Any) -> Answer:
    result = _take(pointer)
    assert result.answer is not None  # an error would have been raised
    return result.answer


class Results:
    """The results of all frames that a group is given, as they come or in order. See ``Publisher.results``."""

    def __init__(self, handle: Any) -> None:
        self._handle: Any = handle
        self._readable = Readable(self.fileno, clear=True)

    def _open(self) -> Any:
        if self._handle is None:
            raise errors.Released("these results were closed")
        return self._handle

    def next(self, timeout: float | None = None) -> Result | None:
        """The next result; waits for it. None when the channel has ended."""
        handle, pointer = self._open(), ffi.new("frameshare_answer **")
        result = wait(lambda part: int(lib.frameshare_results_next(handle, part, pointer)), timeout)
        return None if result == ENDED else _take(pointer)

    def __iter__(self) -> Iterator[Result]:
        while (result := self.next()) is not None:
            yield result

    def fileno(self) -> int:
        """For event loops: readable when ``next(0)`` should be called, until that raises ``TimedOut``."""
        fd = ffi.new("int *")
        check(lib.frameshare_results_poll_fd(self._open(), fd))
        return int(fd[0])

    async def anext(self) -> Result | None:
        """As ``next``, for asyncio."""
        while True:
            try:
                return self.next(0)
            except errors.TimedOut:
                await self._readable.wait()

    async def __aiter__(self) -> AsyncIterator[Result]:
        while (result := await self.anext()) is not None:
            yield result

    @property
    def missed(self) -> int:
        """Results that were dropped since nobody read them in time."""
        count = ffi.new("uint64_t *")
        check(lib.frameshare_results_missed(self._open(), count))
        return int(count[0])

    def close(self) -> None:
        """Ends it; the group can have another reader. Twice does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._readable.wake()
            lib.frameshare_results_close(handle)

    def __enter__(self) -> Results:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()


def ask_options(deadline: float | None, attempts: int, cut_off: bool) -> Any:
    """How a group is asked, for C."""
    c = struct("ask_options")
    c.deadline = -1 if deadline is None else max(1, nanoseconds(deadline))
    c.attempts, c.cut_off = whole("attempts", max(1, attempts)), bool(cut_off)
    return c
