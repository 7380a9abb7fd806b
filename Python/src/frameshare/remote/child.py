"""The worker process: takes frames, runs the user's function on them, answers."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import stat
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from typing import Any, Generator

from .. import errors
from ..subscriber import Subscriber
from .arena import Arena
from .at_work import AtWork
from .carrying import Carried, explained
from .request import RemoteRequest
from .writable import PrivateImages

#: The members of a pool's group.
CHANNEL, GROUP = "pool", "workers"
# How long, in seconds, a worker may be at a frame once its pool's process has gone.
_GRACE = 5.0
# An answer of more bytes goes in memory of its own.
_LARGEST = 60 << 20
#: What the answer is then.
ELSEWHERE = pickle.dumps(("elsewhere",))


class Parent:
    """The pool's process, as its workers know it: by a descriptor, for its number may soon be another's."""

    def __init__(self, descriptor: int | None = None) -> None:
        #: Readable when the process has ended.
        self.descriptor = os.pidfd_open(os.getpid()) if descriptor is None else descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (DupFd(self.descriptor),)

    def close(self) -> None:
        os.close(self.descriptor)


def _received(descriptor: Any) -> Parent:
    return Parent(descriptor.detach())


@dataclass
class Arguments:
    """What every worker of a pool is started with."""

    directory: str
    parent: Parent
    #: The functions `run` and `init`; or a proxy as `run`, which takes its frames by itself.
    work: Carried
    #: What picamera2's helpers want to know of the camera.
    camera: dict[str, Any]
    arena: Arena
    at_work: AtWork


def main(parent: socket.socket, arguments: Arguments) -> None:
    """Works until the pool closes, or its process ends."""
    leave_interrupts_alone()
    _end_with_parent(arguments.parent)
    with failures_told(parent):
        run, init = arguments.work["run"], arguments.work["init"]
        if init is not None:
            init()
    taker = Taker(arguments, parent)
    if hasattr(run, "take_from"):
        with failures_told(parent):
            run.take_from(taker)
        return
    while (request := taker.next()) is not None:
        taker.answer(run, request)


def leave_interrupts_alone() -> None:
    """Ctrl-C is the parent's to answer: what is being worked on is finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def failures_told(parent: socket.socket) -> Generator[None, None, None]:
    """Lets the pool know why a worker can't start."""
    try:
        yield
    except Exception as error:
        text = "".join(traceback.format_exception(explained(error)))
        with contextlib.suppress(OSError):
            parent.send(pickle.dumps(("failed", os.getpid(), text[-30_000:])))
        raise


def _end_with_parent(parent: Parent) -> None:
    poll = select.poll()
    poll.register(parent.descriptor, select.POLLIN)
    if poll.poll(0):
        os._exit(1)  # while this process imported

    def wait() -> None:
        poll.poll()
        time.sleep(_GRACE)
        os._exit(1)

    threading.Thread(target=wait, name="frameshare-parent", daemon=True).start()


def _sockets() -> set[int]:
    """This process's sockets."""
    found: set[int] = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.add(int(name))
    return found


def _leave_to_this_process(sockets: set[int]) -> None:
    """A child that ``run`` forks has none of the connections by which the pool sees that this worker lives. Their numbers
    stay taken there: the library's copies in the child still know them."""
    parted = False

    def part() -> None:
        nonlocal parted
        if parted:
            return  # a child's own child: they are not connections any more
        # Not known by its parent's number: the worker may have died since it forked.
        parted = True
        with contextlib.suppress(OSError):
            nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            for each in sockets:
                os.dup2(nothing, each, inheritable=False)
            os.close(nothing)

    os.register_at_fork(after_in_child=part)


class Taker:
    """Takes a worker's frames, one at a time."""

    def __init__(self, arguments: Arguments, parent: socket.socket) -> None:
        self._arguments, self._parent = arguments, parent
        self._images = PrivateImages()
        self._current: RemoteRequest | None = None
        arguments.at_work.take_line()
        before = _sockets()
        self._subscriber = _member(arguments.directory)
        _leave_to_this_process(_sockets() - before)

    def next(self) -> RemoteRequest | None:
        """The next request; waits for it. None when there will be no more."""
        self.done()
        if self._subscriber is None:
            return None
        try:
            frame = self._subscriber.next()
        except _ENDS:
            return None
        if frame is None:
            return None
        # From now on the frame is nobody else's to work on, and its time counts.
        self._arguments.at_work.begin(frame.number)
        self._current = RemoteRequest(frame, self._arguments.camera, self._arguments.arena, self._images)
        return self._current

    def answer(self, run: Any, request: RemoteRequest) -> None:
        """Runs a function on the request, and answers it."""
        try:
            reply = pickle.dumps((True, run(request, **request._kwargs)))
        except (SystemExit, KeyboardInterrupt):
            raise  # it wants the process to end
        except BaseException as error:
            reply = _failure(explained(error))
        self._end(reply)

    def done(self) -> None:
        """Ends the request that was taken last, if nobody has."""
        if self._current is not None:
            self._end(pickle.dumps((True, None)))

    def fail(self, error: BaseException) -> None:
        """Ends the request that was taken last with what went wrong."""
        if self._current is not None:
            self._end(_failure(explained(error)))

    def _end(self, reply: bytes) -> None:
        request, self._current = self._current, None
        assert request is not None and request.frame.request is not None
        asked = request.frame.request
        # Given back before the answer: whoever hears the answer can use the slot again.
        request._end()
        if len(reply) > _LARGEST:
            reply = self._placed(asked.frame, reply)
        with contextlib.suppress(*_ENDS):
            asked.answer(reply)

    def _placed(self, frame: int, reply: bytes) -> bytes:
        """Gives the pool the memory of the answer to a frame, and returns what says so; or the failure where there is no
        memory for it."""
        try:
            with open(os.memfd_create("frameshare-result", os.MFD_CLOEXEC), "wb", buffering=0) as memory:
                rest = memoryview(reply)
                while rest:
                    rest = rest[memory.write(rest) :]
                with contextlib.suppress(ConnectionError):  # nobody waits for it any more
                    news = pickle.dumps(("result", os.getpid(), frame))
                    socket.send_fds(self._parent, [news], [memory.fileno()])
        except OSError as error:
            return _failure(errors.FrameShareError(f"no memory for a result of {len(reply)} bytes: {error}"))
        return ELSEWHERE

    def close(self) -> None:
        if self._subscriber is not None:
            self._subscriber.close()


def _member(directory: str) -> Subscriber | None:
    """A connection to the pool's channel; None where the pool was closed meanwhile."""
    attempts = 3
    while True:
        try:
            # One frame to work on and one that waits. For a moment both wait.
            return Subscriber(CHANNEL, group=GROUP, policy="queue:2", budget=3, directory=directory, name="worker")
        except _ENDS:
            return None
        except errors.Refused:
            # A channel that ends at this moment refuses too, and is gone a moment later.
            attempts -= 1
            if attempts == 0:
                raise
            time.sleep(0.1)


# The parent has gone, or has given the worker up.
_ENDS = (errors.PublisherLost, errors.NoSuchChannel, errors.Released, errors.Disconnected)


def _failure(error: BaseException) -> bytes:
    """An exception as bytes, with its traceback in words; another in its place where it can't travel."""
    text = "".join(traceback.format_exception(error))
    try:
        reply = pickle.dumps((False, error, text))
        pickle.loads(reply)
        return reply
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}"), text))
