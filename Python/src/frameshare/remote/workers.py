"""The processes of a pool: started, watched, and started again when they die."""

from __future__ import annotations

import contextlib
import logging
import mmap
import multiprocessing
import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from typing import Any, Collection

from .. import errors
from ..publisher import Publisher
from . import child, fork_server

_log = logging.getLogger("frameshare")
# So many in a row that end before they are ready, and the pool gives up.
_MOST_FAILURES = 3
# How long, in seconds, processes may take to end once they have nothing to do any more.
_PATIENCE = 5.0


@dataclass
class _Process:
    """A worker."""

    pid: int
    #: A pidfd: it tells of the process's end also where a child of the process lives on, which has its sentinel's pipe.
    descriptor: int
    #: Where it was spawned by this process itself.
    spawned: Any = None
    ready: bool = False

    def kill(self) -> None:
        try:
            signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended

    def wait(self, deadline: float) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))


class Workers:
    """Used under the dispatcher's lock, but for `join`.

    Several are forked by one process that has imported what they run (`fork_server`). A single one is spawned, and so are
    all where the program has set multiprocessing's start method to "spawn". None is forked from the program's own process,
    which has threads and a camera.
    """

    def __init__(self, count: int, arguments: child.Arguments, epoll: select.epoll, *, restart: bool = True) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._count, self._arguments, self._epoll, self._restart = count, arguments, epoll, restart
        self._by_server = count > 1 and multiprocessing.get_start_method(allow_none=True) != "spawn"
        self._server: Any = None
        self._server_end = -1
        self._running: dict[int, _Process] = {}  # by pid
        self._asked = 0  # workers that the server has not started yet
        self._results: dict[int, int] = {}  # memory of large answers, by the number of their frame
        self._failures = 0
        self._reason = ""
        self._restart_at = 0.0
        #: How many are members of the group now.
        self.members = 0
        #: Why no more are started.
        self.broken: RuntimeError | None = None
        #: The exit code of the one that has ended last.
        self.exit_code: int | None = None
        # What workers, or the server, say.
        self._news, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._news.setblocking(False)
        self._epoll.register(self._news, select.EPOLLIN)

    @property
    def complete(self) -> bool:
        return self.members == self._count

    @property
    def pids(self) -> list[int]:
        return list(self._running)

    def start(self) -> None:
        while len(self._running) + self._asked < self._count:
            if self._by_server:
                self._ask_server()
            else:
                self._spawn()

    def _spawn(self) -> None:
        arguments = (self._theirs, self._arguments)
        process = self._context.Process(target=child.main, args=arguments, name="frameshare-worker")
        fork_server.started(process)
        assert process.pid is not None
        # Nobody waits for it before this process does: its number is its own.
        descriptor = os.pidfd_open(process.pid)
        self._running[process.pid] = _Process(process.pid, descriptor, process)
        self._epoll.register(descriptor, select.EPOLLIN)

    def _ask_server(self) -> None:
        if self._server is None:
            self._hear_no_more()
            self._server, self._news = fork_server.start(self._context, self._arguments)
            self._epoll.register(self._news, select.EPOLLIN)
            # Its workers have its ends of the socket and of its sentinel: those do not tell of its end.
            self._server_end = os.pidfd_open(self._server.pid)
            self._epoll.register(self._server_end, select.EPOLLIN)
        try:
            fork_server.ask_for_worker(self._news)
        except OSError:
            pass  # it has ended, which is told next
        self._asked += 1

    def has_news(self, descriptor: int) -> bool:
        """Takes in what a descriptor tells of. False where it is none of a process."""
        if descriptor == self._news.fileno():
            self._hear()
            return True
        if descriptor == self._server_end:
            self._hear()
            self._lost_server()
            return True
        for process in self._running.values():
            if process.descriptor == descriptor and process.spawned is not None:
                self._epoll.unregister(descriptor)
                process.spawned.join()
                self._hear()  # a failure, if that was it
                self._ended(process.pid, process.spawned.exitcode)
                return True
        return False

    def _hear(self) -> None:
        while self._news.fileno() >= 0:
            try:
                news = fork_server.news(self._news)
            except BlockingIOError:
                return
            if news is None:
                return  # the server has ended, which is told by itself
            (kind, pid, content), descriptors = news
            if kind == "started":
                self._asked -= 1
                if descriptors:
                    self._running[pid] = _Process(pid, descriptors[0])
                else:
                    self._unwatched(pid)
            elif kind == "ended":
                if pid in self._running:
                    self._ended(pid, content)
            elif kind == "result":
                if descriptors:  # else this process has no room for one more
                    self._results[content] = descriptors[0]
            else:
                self._reason = content

    def _unwatched(self, pid: int) -> None:
        """One whose descriptor found no room in this process: it can't be known when it ends, or be killed."""
        with contextlib.suppress(OSError):
            fork_server.end_worker(self._news, pid)
        self._reason = f"worker {pid} can't be watched: this process has too many open files; raise 'ulimit -n'"
        _log.error("%s", self._reason)
        self._failed(None)

    def result_of(self, frame: int) -> mmap.mmap:
        """The memory of the answer to a frame. It was sent before the answer was, and outlives its worker."""
        self._hear()
        if frame not in self._results:
            raise errors.WorkError(f"the memory of the answer to frame {frame} did not arrive: too many open files?")
        descriptor = self._results.pop(frame)
        try:
            return mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)

    def keep_results(self, frames: Collection[int]) -> None:
        """Lets go the memory of answers that nobody waits for any more: all but those to these frames."""
        for frame in self._results.keys() - set(frames):
            os.close(self._results.pop(frame))

    def _hear_no_more(self) -> None:
        if self._news.fileno() >= 0:
            self._epoll.unregister(self._news)
            self._news.close()

    def _lost_server(self) -> None:
        """The server can't be had, or was killed: its workers are nobody's."""
        lost, self._running, self.members = list(self._running.values()), {}, 0
        for process in lost:
            process.kill()
            process.wait(time.monotonic() + _PATIENCE)
            os.close(process.descriptor)
        self._hear()  # of what they have answered last
        self._hear_no_more()
        self._epoll.unregister(self._server_end)
        os.close(self._server_end)
        self._server_end = -1
        self._server.join()
        self._server, self._asked = None, 0
        if any(process.ready for process in lost):
            self._failures = 0
        else:
            self._failed(None)

    def _ended(self, pid: int, exit_code: int | None) -> None:
        process = self._running.pop(pid)
        os.close(process.descriptor)
        self.members = min(self.members, len(self._running))
        self.exit_code = exit_code
        if not self._restart:
            said = self._said() if exit_code else ""
            self.broken = RuntimeError(f"the process has ended, with exit code {exit_code}{said}")
        elif process.ready:
            self._failures = 0
        else:
            self._failed(exit_code)

    def _failed(self, exit_code: int | None) -> None:
        self._failures += 1
        self._restart_at = time.monotonic() + 0.2 * self._failures
        if self._failures >= _MOST_FAILURES:
            code = "" if exit_code is None else f" (the last with exit code {exit_code})"
            self.broken = RuntimeError(f"{_MOST_FAILURES} workers in a row ended before they were ready{code}{self._said()}")

    def _said(self) -> str:
        if self._reason:
            return f":\n{self._reason}"
        return (
            "; what they wrote to standard error says why. Workers import the program's main module: what it does there"
            ' stands under if __name__ == "__main__":'
        )

    def look_after(self, publisher: Publisher, stopping: bool) -> bool:
        """Counts the members, and starts those that are missing. True if there are more than before."""
        before = self.members
        if not self.complete:
            present = {subscriber.pid for subscriber in publisher.statistics.subscribers} & set(self._running)
            for pid in present:
                self._running[pid].ready = True
            self.members = len(present)
            if present:
                self._failures, self._reason = 0, ""
            if self._restart and self.broken is None and not stopping and time.monotonic() >= self._restart_at:
                self.start()
        return self.members > before

    def kill(self, pid: int) -> None:
        if pid in self._running:
            self._running[pid].kill()

    def wait(self, patience: float) -> None:
        """Gives all so many seconds to end by themselves: the channel that they read is closed. Those that were never ready
        have nothing to finish."""
        end = time.monotonic() + patience
        for process in self._running.values():
            if not process.ready or not process.wait(end):
                process.kill()
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._news.shutdown(socket.SHUT_WR)
            # As long as it imports it hears of nothing.
            self._server.join(0 if self._asked else max(0.0, end - time.monotonic()))

    def join(self) -> None:
        """Ends those that have not ended by themselves."""
        if self._server is not None:
            self._server.kill()
            self._server.join()
            os.close(self._server_end)
            self._server = None
            self._hear()  # of those that it has started last
        self.wait(0)
        for process in self._running.values():
            process.wait(time.monotonic() + _PATIENCE)
            os.close(process.descriptor)
            if process.spawned is not None:
                process.spawned.join()
                self.exit_code = process.spawned.exitcode
        self._running = {}
        self.keep_results(())
        self._news.close()
        self._theirs.close()
