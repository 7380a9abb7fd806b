"""The parent's side of a pool: who has which request, and what becomes of it."""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import select
import signal
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, Callable

from .. import errors
from .._arguments import LONGEST, bounded, number, whole
from .._native import epoll_modify, eventfd_clear, timer_open, timer_set
from .._waiting import Condition, Uninterrupted, interrupts_held, join
from ..groups import Result
from .at_work import AtWork
from .camera_channel import CameraChannel, was_given_away
from .carrying import Carried
from .child import ELSEWHERE, Arguments, Parent
from .job import Job, RemoteTraceback, RequestFuture
from .workers import Workers

_log = logging.getLogger("frameshare")

# How often the camera's buffers are looked after when nothing happens.
_TICK = 0.02
# How long, in ns, a thread that has sent something may take to wait for the answer, if it did so before.
_GRACE_TO_LISTEN = 300_000
# How long, in seconds, workers may take to start before those that wait for them give up; or the timeout, if it is longer.
_START = 120.0
# How long what is being worked on, and callbacks, may take, in seconds, once the program was interrupted.
_GRACE = 5.0


class Dispatcher:
    """Publishes requests to a group of workers, and completes their Futures.

    One thread listens to everything. While another one waits for a Future, that one listens to the answers: an answer then
    wakes no other thread on its way. `_lock` guards all but what is told to Futures, whose callbacks may send again.
    """

    def __init__(
        self,
        run: Any,
        count: int,
        picam2: Any,
        init: Callable[[], None] | None,
        timeout: float | None,
        limit: int | None,
        *,
        restart: bool = True,
    ) -> None:
        if isinstance(count, bool) or not hasattr(count, "__index__") or count < 1:
            raise errors.InvalidArgument(f"a pool of {count!r} processes is not possible; ask for 1 or more")
        if timeout is not None and not number("timeout", timeout, "a number of seconds, or None") > 0:
            raise errors.InvalidArgument(f"timeout={timeout!r} is not possible; give seconds above 0, or None for no limit")
        limit = None if limit is None else whole("limit", limit)
        self._timeout, self._limit, self._pid = timeout, limit, os.getpid()
        self._idle = self._lock = Condition()
        self._backlog: deque[Job] = deque()
        self._flying: dict[int, Job] = {}  # by the number of its frame
        self._out: dict[int, Job] = {}  # by the slot that is out
        self._retired: list[Job] = []  # out of slots of earlier generations
        self._told: deque[tuple[RequestFuture, Any, BaseException | None]] = deque()
        # What stands for the thread that listens to the answers in this one's place.
        self._listener: object | None = None
        self._hears_answers = True
        # Whether the threads that send also wait for the answers. Then others are silent for a moment after something was sent.
        self._is_awaited = self._timer_runs = False
        self._closing = self._closed = False
        self._last_sign = time.monotonic()
        # When something was sent last, and whether the thread may sleep for long: then it is to be woken.
        self._sent, self._dozes = 0.0, True
        # Workers that were offered a frame and have given no sign, and since when they are seen so.
        self._silent: dict[int, float] = {}
        self._looked = 0.0
        self._thread = threading.Thread(target=self._listen, name="frameshare-pool", daemon=True)
        work = Carried(run=run, init=init)
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            with interrupts_held():
                self._begin(count, work, _about(picam2), restart)
        except KeyboardInterrupt:
            if self._thread.is_alive():
                self.close()  # nobody else has this pool
            raise

    def _begin(self, count: int, work: Carried, camera: dict[str, Any], restart: bool) -> None:
        with ExitStack() as made:  # a pool that can't be made leaves nothing behind
            self.channel = CameraChannel()
            made.callback(self.channel.close)
            self._epoll = select.epoll()
            made.callback(self._epoll.close)
            self._timer = timer_open()
            made.callback(os.close, self._timer)
            self._epoll.register(self._timer, select.EPOLLIN)
            self._epoll_fd = self._epoll.fileno()
            self._results = self.channel.results()
            made.callback(self._results.close)
            self._answered = self._results.fileno()
            self._epoll.register(self._answered, select.EPOLLIN)
            self._poll = select.poll()
            self._poll.register(self._answered, select.POLLIN)
            self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            made.callback(os.close, self._wake)
            made.callback(os.close, self._waker)
            self._epoll.register(self._wake, select.EPOLLIN)
            self._parent = Parent()
            made.callback(self._parent.close)
            self._at_work = AtWork(count)
            made.callback(self._at_work.close)
            arguments = Arguments(self.channel.directory, self._parent, work, camera, self.channel.arena, self._at_work)
            self.workers = Workers(count, arguments, self._epoll, restart=restart)
            made.callback(self.workers.join)
            self.workers.start()
            # Before multiprocessing waits for the processes, which wait for us.
            atexit.register(self.close)
            made.callback(atexit.unregister, self.close)
            self._thread.start()
            made.pop_all()

    # Sending

    def send(self, request: Any, kwargs: dict[str, Any]) -> Future[Any]:
        # In the middle Ctrl-C would leave a request that is kept and goes nowhere.
        with Uninterrupted(), self._lock:
            if self._closing:
                raise RuntimeError("this pool was closed")
            if self.workers.broken is not None:
                raise self.workers.broken
            if self._limit is not None and len(self._backlog) + len(self._flying) >= self._limit:
                refused: Future[Any] = Future()
                refused.set_exception(errors.Busy(f"{self._limit} requests are with this pool already"))
                return refused
            # Whatever can fail comes before the request is kept.
            job = self.channel.job_of(request, kwargs)
            try:
                job.keep()
            except BaseException:
                self.channel.arena.free(job.place)
                raise
            if was_given_away(request):
                self.channel.arena.free(job.place)
                job.release()
                raise errors.InvalidArgument(
                    "the camera was stopped and started since this request was captured: its buffer was the camera's again, "
                    "and another frame may be in it; send a request before stop(), or capture one anew"
                )
            job.future.dispatcher = self
            self._backlog.append(job)
            # A quick worker answers before this is over: then nobody else is woken for that.
            is_listener = self._begin_listening(job)
            try:
                self._submit()
                if is_listener and self._take_answers():
                    self._settle()
            finally:
                self._end_listening(job)
            self._sent, dozes = time.monotonic(), self._dozes
            told = self._tell_quietly()
        if dozes or self._told:
            self.kick()
        del told  # a Future may end with it, and log: not under the lock
        return job.future

    def _submit(self) -> None:
        """Gives workers as much as they have room for: one to work on and one that waits, each."""
        if not self._backlog:
            return
        room = 2 * self.workers.members - len(self._flying)
        kept: deque[Job] = deque()
        while self._backlog:
            job = self._backlog.popleft()
            if job.over or job.future.cancelled():
                self._end(job)
            elif room <= 0:
                kept.append(job)
            elif (slot := self._slot_for(job)) is None:
                # The camera was configured anew. Those behind it wait too: requests are worked on in their order.
                kept.append(job)
                room = 0
            elif slot in self._out:
                kept.append(job)  # the same request once more, which is to be back first
            else:
                self._ask(job, slot)
                room -= 1
        self._backlog = kept

    def _slot_for(self, job: Job) -> int | None:
        """The slot of a request's buffers, in another generation if need be; None where that has to wait."""
        slot = self.channel.slot_of(job)
        if slot is not None:
            return slot
        present = self.channel.generation
        self._look_who_began()
        if any(other.begun is None and other.generation != present for other in self._flying.values()):
            return None  # workers have yet to begin with some of the generation before: no more than two at a time
        try:
            self.channel.change_to([job, *self._backlog])
        except (errors.FrameShareError, OSError) as error:
            self._end(job, error=error)
            return None
        # What is out of the earlier slots comes back with its answer.
        self._retired += self._out.values()
        self._out = {}
        return self.channel.slot_of(job)

    def _ask(self, job: Job, slot: int) -> None:
        try:
            job.pending = self.channel.ask(slot, job)
        except errors.FrameShareError as error:
            self._end(job, error=error)
            return
        job.generation, job.slot, job.out = self.channel.generation, slot, True
        self._out[slot] = job
        self._flying[job.pending.frame] = job

    def kick(self) -> None:
        """Wakes the thread that listens to everything."""
        try:
            os.write(self._waker, b"x")
        except OSError:
            pass  # it is awake, or has ended

    # Listening

    def _listen(self) -> None:
        # Ctrl-C was held where this thread was started. What callbacks start hears it as what the program itself starts.
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        while not self._closed:
            with self._lock:
                busy = bool(self._flying or self._backlog or self._out or self._retired) or not self.workers.complete
                # Where requests follow each other, each would wake it.
                busy = busy or time.monotonic() - self._sent < 0.5
                self._dozes = not busy
            events = self._epoll.poll(_TICK if busy else 1.0)
            with self._lock:
                if self._closed:
                    return
                try:
                    self._take_in(events)
                except errors.Released:
                    return  # closing: the publisher has gone
                except Exception:
                    _log.exception("a pool's requests could not be looked after")
            self._tell()

    def listen_for(self, future: RequestFuture, seconds: float) -> bool:
        """Listens to the answers in the calling thread, until a Future is done or so many seconds have passed. False: another
        thread does, and the Future says when it is done."""
        mine = object()
        try:
            with Uninterrupted(), self._lock:
                # What has come already may wait for a callback that blocks.
                told = self._tell_quietly()
                if self._closed or future.is_told or threading.get_ident() == self._thread.ident:
                    return False
                if not self._begin_listening(mine):
                    return False
            # A signal ends the sleep, and Python runs its handler.
            has_news = self._poll.poll(seconds * 1000)
            with Uninterrupted(), self._lock:
                self._is_awaited = True
                if has_news and not self._closed and self._take_answers():
                    self._settle()
                self._end_listening(mine)
                told = self._tell_quietly()
                if self._told:
                    self.kick()
            del told
        except errors.Released:
            pass  # closing: the publisher has gone
        except Exception:
            _log.exception("a pool's answers could not be taken in")
        finally:
            if self._listener is mine:
                with Uninterrupted(), self._lock:
                    self._end_listening(mine)
        return True

    def _begin_listening(self, listener: object) -> bool:
        if self._listener is not None:
            return False
        self._listener = listener
        self._hear_answers(False)
        return True

    def _hear_answers(self, does: bool) -> None:
        """Whether answers wake the thread that listens to everything."""
        if self._closed:
            return
        if self._timer_runs:
            timer_set(self._timer, 0)
            self._timer_runs = False
        if does and self._is_awaited:
            # Most likely the one that has sent waits for the answer now. If it does not, this thread hears it a little later.
            does, self._timer_runs = False, True
            timer_set(self._timer, _GRACE_TO_LISTEN)
        if does != self._hears_answers:
            epoll_modify(self._epoll_fd, self._answered, select.EPOLLIN if does else 0)
            self._hears_answers = does

    def _end_listening(self, listener: object) -> None:
        if self._listener is listener:
            self._listener = None
            # Where there is nothing to hear, the next listener need not ask for silence.
            self._hear_answers(bool(self._flying))

    def _tell_quietly(self) -> deque[tuple[RequestFuture, Any, BaseException | None]]:
        """Completes Futures in a thread that sends or waits. Those with callbacks are left to the thread that listens to everything: a
        callback may wait for what the calling thread holds. Returns what there was: the caller drops it after the lock."""
        told = self._told
        self._told = deque(news for news in told if not news[0].end_quietly(news[1], news[2]))
        return told

    def _take_in(self, events: list[tuple[int, int]]) -> None:
        # First: what is known of a worker that has ended goes with it.
        self._look_who_began()
        for fd, _ in events:
            if fd == self._wake:
                os.read(self._wake, 4096)
            elif fd == self._timer and self._listener is None:
                self._is_awaited = False
            elif self.workers.has_news(fd):
                self._last_sign = time.monotonic()
        if self._listener is None:
            self._take_answers()
            self._hear_answers(bool(self._flying or self._backlog))
        self.workers.keep_results([job.pending.frame for job in self._flying.values() if job.pending is not None])
        # Also while it closes: what was sent is worked on, whoever dies meanwhile.
        stopping = self._closing and not self._flying and not self._backlog
        if self.workers.look_after(self.channel.publisher, stopping):
            self._last_sign = time.monotonic()
        if self.workers.broken is not None:
            for job in [*self._backlog, *self._flying.values()]:
                self._give_up(job, self.workers.broken)
        for job in self._flying.values():
            if job.future.cancelled() and job.begun is None and job.pending is not None:
                job.pending.cancel()
        self._check_time()
        self._settle()

    def _settle(self) -> None:
        """What follows from answers: slots that came back, room for those that wait, nothing left to wait for."""
        self._collect()
        self._submit()
        if not self._flying and not self._backlog:
            self._idle.notify_all()

    def look_who_began(self) -> None:
        """Lets Futures know which of them a worker is at."""
        with Uninterrupted(), self._lock:
            if not self._closed:
                self._look_who_began()

    def _look_who_began(self) -> None:
        for pid, frame, moment in self._at_work:
            job = self._flying.get(frame)
            if job is not None and job.begun is None:
                job.begun, job.pid = moment, pid
                self._last_sign = max(self._last_sign, moment)
                self._silent.pop(pid, None)
                job.future.begin()

    def _take_answers(self) -> bool:
        """Takes in what was said of requests; False where nothing was."""
        if not eventfd_clear(self._answered):
            return False
        while True:
            try:
                result = self._results.next(0)
            except errors.TimedOut:
                return True
            if result is None:
                raise errors.Released("the pool's channel has ended")
            job = self._flying.get(result.frame)
            if job is not None:
                self._hear(job, result)
            if not self._flying:
                return True

    def _hear(self, job: Job, result: Result) -> None:
        """Takes in what became of a request."""
        # Those that wait have their time from here: that a worker has ended may be told a little later.
        self._last_sign = time.monotonic()
        if result.answer is None:
            self._look_who_began()
            self._land(job)
            self._failed(job, result.error or errors.WorkError("there is no answer"))
            return
        self._land(job)
        try:
            answer = result.answer
            content = self.workers.result_of(answer.frame) if answer.value == ELSEWHERE else answer.value
            good, value, *text = pickle.loads(content)
        except Exception as error:
            good, value, text = False, error, ["the worker's result can't be unpickled here"]
        if good:
            self._end(job, value)
        else:
            value.__cause__ = RemoteTraceback(text[0])
            self._end(job, error=value)

    def _land(self, job: Job) -> None:
        assert job.pending is not None
        del self._flying[job.pending.frame]
        job.pending = None

    def _failed(self, job: Job, error: errors.FrameShareError) -> None:
        if job.timed_out:
            self._end(job, error=TimeoutError(f"no result after {self._timeout} s: the worker was killed"))
        elif job.begun is not None or job.over:
            self._end(job, error=error)
        elif isinstance(error, errors.WorkError) and not isinstance(error, errors.Cancelled):
            # Nobody has worked on it: the next one may, once its slot is back.
            if job in self._retired:
                self._retired.remove(job)
                job.out = False
            if not job.out:
                self._backlog.appendleft(job)
        else:
            self._end(job, error=error)

    def _give_up(self, job: Job, error: BaseException) -> None:
        """Nobody waits for it any more, whoever has it."""
        if not job.over:
            job.over = job.future.is_told = True
            self._told.append((job.future, None, error))
            if job.pending is not None:
                job.pending.cancel()

    def _check_time(self) -> None:
        if self._timeout is None:
            return
        now = time.monotonic()
        working = [job for job in self._flying.values() if job.begun is not None]
        for job in working:
            if job.begun is not None and now - job.begun > self._timeout and not job.timed_out:
                job.timed_out = True
                self.workers.kill(job.pid)
        self._kill_silent(now, {job.pid for job in working})
        if working:
            return
        # Workers that start, such as by loading a model, have their own time for it.
        # One that is silent is killed before its frame is given up.
        patience = 1.5 * self._timeout if self.workers.members > 0 else max(self._timeout, _START)
        for job in [*self._backlog, *self._flying.values()]:
            if now - max(job.sent, self._last_sign) > patience:
                self._give_up(job, TimeoutError(f"no worker began with it in {patience} s"))

    def _kill_silent(self, now: float, working: set[int]) -> None:
        """A worker that does not begin with what it was offered, such as one that was stopped, would be offered the next too."""
        assert self._timeout is not None
        if all(job.begun is not None for job in self._flying.values()):
            self._silent = {}
            return
        if now - self._looked < min(1.0, self._timeout / 10):
            return
        self._looked = now
        offered = {each.pid for each in self.channel.publisher.statistics.subscribers if each.queued > 0}
        silent = (offered & set(self.workers.pids)) - working
        self._silent = {pid: self._silent.get(pid, now) for pid in silent}
        for pid, since in self._silent.items():
            if now - since > self._timeout:
                self.workers.kill(pid)

    def _collect(self) -> None:
        """Takes back the slots that nobody holds any more."""
        for slot in self.channel.publisher.take_free():
            job = self._out.pop(slot, None)
            if job is None:
                continue
            job.out = False
            if job.over or job.begun is not None:
                job.release()
            elif job.pending is None:
                self._backlog.appendleft(job)  # to be asked again
            # Else the news of it are on their way.
        # Of earlier generations it is only known how many are held: by workers, which tell, or by others that watch.
        ended = [job for job in self._retired if job.over and job.pending is None]
        if ended:
            held = self.channel.publisher.statistics.retired_slots_held
            if held <= len(self._retired) - len(ended):
                for job in ended:
                    job.out = False
                    job.release()
                self._retired = [job for job in self._retired if job.out]

    # Ending

    def _end(self, job: Job, value: Any = None, error: BaseException | None = None) -> None:
        """What a request's Future is to say. Its buffer goes back now, or when its slot does."""
        if not job.over:
            job.over = job.future.is_told = True
            self._told.append((job.future, value, error))
        self.channel.arena.free(job.place)
        job.place = None
        if not job.out:
            job.release()

    def _tell(self) -> None:
        """Completes Futures; not under the lock, since their callbacks are the user's."""
        # One by one: where a callback blocks, another thread tells the others.
        while True:
            with self._lock:
                if not self._told:
                    return
                future, value, error = self._told.popleft()
            future.end(value, error)

    def close(self, timeout: float | None = None) -> None:
        """Waits for what was sent, no longer than ``timeout`` seconds. After Ctrl-C, only for what workers are at, and not for
        long."""
        end = None if timeout is None else time.monotonic() + bounded("timeout", timeout)
        if threading.current_thread() is self._thread:
            raise RuntimeError("a pool can't be closed by the callback of one of its Futures")
        if os.getpid() != self._pid:
            return  # a fork of the pool's process: the pool is its parent's
        with self._lock:
            if self._closing:
                return
            self._closing = True
        atexit.unregister(self.close)
        interrupted = _was_interrupted()
        try:
            self._finish(_GRACE if interrupted else None, end)
            left = None if end is None else max(0.0, end - time.monotonic())
            self._leave(0.0 if interrupted else left)
            self.workers.wait(_GRACE if left is None else min(_GRACE, left))
        finally:
            # Also where Ctrl-C comes once more: then nobody waits for anything, but for a callback that is about to end.
            try:
                with interrupts_held():
                    self._clear_away()
            finally:
                self._tell()  # Ctrl-C ends a callback that blocks here

    def _leave(self, limit: float | None = None) -> None:
        """Ends the channel, and waits so many seconds for the thread. A callback that the thread is in may take for ever."""
        with self._lock:
            self._closed = True  # nobody listens to what ends with the channel
        # What somebody still holds is revoked before the camera can write to it.
        self.channel.publisher.close(revoke=True)
        self.kick()
        join(self._thread, limit)

    def _clear_away(self) -> None:
        self._leave(_GRACE)
        self.workers.join()
        for job in [*self._backlog, *self._flying.values()]:
            self._end(job, error=errors.Cancelled("the pool was closed before a worker had done with this request"))
        for job in [*self._out.values(), *self._retired, *self._flying.values()]:
            job.release()
        # The thread uses nothing of these any more, wherever it is: it has seen, or will see, that the pool is closed.
        self._results.close()
        self.channel.close()
        self._parent.close()
        self._at_work.close()
        if self._thread.is_alive():
            _log.warning("a pool was closed while a callback of its Futures blocks: its thread ends with that callback")
            return  # the thread may be about to poll these
        self._epoll.close()
        os.close(self._timer)
        os.close(self._wake)
        os.close(self._waker)

    def _finish(self, grace: float | None, end: float | None) -> None:
        """Waits until all is done that was sent, or the end has come. With a grace, what no worker has begun with is cancelled,
        and the rest has so many seconds."""
        if grace is not None:
            end = min(time.monotonic() + grace, end or LONGEST)
            with self._lock:
                waiting = [job for job in [*self._backlog, *self._flying.values()] if job.begun is None]
            for job in waiting:
                job.future.cancel()  # not under the lock either: it calls callbacks
        with self._lock:
            self.kick()
            while self._flying or self._backlog:
                if end is not None and time.monotonic() > end:
                    return
                self._idle.wait(0.1 if end is not None else 1.0)


def _was_interrupted() -> bool:
    """Whether it is Ctrl-C that the program ends by: handled at this moment, or by nobody."""
    error: BaseException | None = sys.exc_info()[1]
    if error is None and not threading.main_thread().is_alive():
        error = getattr(sys, "last_value", None)
    # Also where what failed by it is another error.
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _about(picam2: Any) -> dict[str, Any]:
    """What picamera2's helpers want to know of a camera, in another process."""
    camera, options = getattr(picam2, "camera", None), getattr(picam2, "options", {})
    properties = getattr(picam2, "camera_properties", {})
    return {
        "id": getattr(camera, "id", ""),
        "options": {key: options[key] for key in ("compress_level", "quality") if key in options},
        "camera_properties": {key: properties[key] for key in ("Model",) if key in properties},
    }
