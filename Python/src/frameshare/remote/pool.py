"""Pools of worker processes."""

from __future__ import annotations

from concurrent.futures import Future
from types import TracebackType
from typing import Any, Callable

from .child import CHANNEL
from .dispatch import Dispatcher
from .job import RemoteTraceback
from .request import RemoteRequest

__all__ = ["Pool", "Process", "RemoteTraceback"]


class Pool:
    """Worker processes that share a camera's requests. A context manager.

    ``run`` is called with each request in one of the ``count`` processes, ``init`` once in each before. A worker that is at
    one request for longer than ``timeout`` seconds (None: no matter how long), or does not begin with one in that time while
    it has nothing else to do, is killed, and another takes its place.
    ``limit`` is how many requests may be with the pool at a time: the Future of one more fails at once, and the camera has
    its buffers; None: as many as the camera has.

    The processes import the program's module, and run nothing of what it does under ``if __name__ == "__main__":``. They
    are forked by one that has imported it, or spawned one by one where the program has called
    ``multiprocessing.set_start_method("spawn")``, as what can't be forked once it is imported, such as CUDA, needs it.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        count: int,
        picam2: Any,
        init: Callable[[], None] | None = None,
        timeout: float | None = 30,
        *,
        limit: int | None = None,
    ) -> None:
        self._dispatcher = Dispatcher(run, count, picam2, init, timeout, limit)

    def send(self, request: Any, **kwargs: Any) -> Future[Any]:
        """Hands a request, and whatever else ``run`` is to be called with, to the least loaded worker. Never waits.

        The request is kept until its worker has done with it: the caller releases its own hold as ever.
        """
        return self._dispatcher.send(request, kwargs)

    def close(self) -> None:
        """Waits for what was sent, and ends the processes. Twice does nothing.

        While a ``KeyboardInterrupt`` is handled, what no worker has begun with is cancelled, and workers have five seconds for
        what they are at. So have callbacks of Futures: the pool is closed while one blocks on."""
        self._dispatcher.close()

    @property
    def channel(self) -> tuple[str, str]:
        """Name and folder of the channel that the requests go through: any subscriber of the same user may watch it.
        Metadata of more than 2048 numbers go to the workers alone, bytes up to 64 KiB to all."""
        return CHANNEL, self._dispatcher.channel.directory

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Process(Pool):
    """One worker process: requests are worked on in the order in which they were sent."""

    def __init__(
        self,
        run: Callable[[RemoteRequest], Any] | Callable[..., Any],
        picam2: Any,
        init: Callable[[], None] | None = None,
        timeout: float | None = 30,
        *,
        limit: int | None = None,
    ) -> None:
        super().__init__(run, 1, picam2, init, timeout, limit=limit)
