"""The processes of a pool: started, watched, and started again when they die."""

from __future__ import annotations

import multiprocessing
import select
import time
from typing import Any

from ..publisher import Publisher
from . import child

# So many in a row that end before they are ready, and the pool gives up.
_MOST_FAILURES = 3


class Workers:
    """Used under the dispatcher's lock, but for `join`."""

    def __init__(self, count: int, arguments: tuple[Any, ...], epoll: select.epoll) -> None:
        # Not fork: this process has threads, and the library's would be missing in a child.
        self._context = multiprocessing.get_context("spawn")
        self._count, self._arguments, self._epoll = count, arguments, epoll
        self._running: dict[int, Any] = {}  # by the descriptor that tells of their end
        self._ready: set[int] = set()  # pids that have been members
        self._failures = 0
        self._restart_at = 0.0
        #: How many are members of the group now.
        self.members = 0
        #: Why no more are started.
        self.broken: RuntimeError | None = None

    @property
    def complete(self) -> bool:
        return self.members == self._count

    def start(self) -> None:
        while len(self._running) < self._count:
            process = self._context.Process(target=child.main, args=self._arguments, name="frameshare-worker")
            process.start()
            self._running[process.sentinel] = process
            self._epoll.register(process.sentinel, select.EPOLLIN)

    def has_ended(self, sentinel: int) -> bool:
        """A descriptor says that its process has ended. False if it is none of a process."""
        process = self._running.pop(sentinel, None)
        if process is None:
            return False
        self._epoll.unregister(sentinel)
        process.join()
        self.members = min(self.members, len(self._running))
        if process.pid in self._ready:
            self._ready.discard(process.pid)
            self._failures = 0
            return True
        self._failures += 1
        self._restart_at = time.monotonic() + 0.2 * self._failures
        if self._failures >= _MOST_FAILURES:
            self.broken = RuntimeError(
                f"{_MOST_FAILURES} workers in a row ended before they were ready (the last with exit code"
                f" {process.exitcode}); what they wrote to standard error says why"
            )
        return True

    def look_after(self, publisher: Publisher, stopping: bool) -> bool:
        """Counts the members, and starts those that are missing. True if there are more than before."""
        before = self.members
        if not self.complete:
            present = {subscriber.pid for subscriber in publisher.statistics.subscribers}
            pids = {process.pid for process in self._running.values()} & present
            self._ready |= pids
            self.members = len(pids)
            if pids:
                self._failures = 0
            if self.broken is None and not stopping and time.monotonic() >= self._restart_at:
                self.start()
        return self.members > before

    def kill(self, pid: int) -> None:
        for process in self._running.values():
            if process.pid == pid:
                process.kill()

    def join(self) -> None:
        """Waits for all to end, not for ever: the channel that they read is closed."""
        end = time.monotonic() + 5
        for process in list(self._running.values()):
            process.join(max(0.0, end - time.monotonic()))
        for process in list(self._running.values()):
            if process.is_alive():
                process.kill()
            process.join()
