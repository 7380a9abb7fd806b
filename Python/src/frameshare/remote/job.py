"""A request on its way to a worker and back."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

from ..groups import Pending


class RemoteTraceback(Exception):
    """Where an exception in a worker came from, in words: the ``__cause__`` of what a Future raises."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class Job:
    """A request on its way. It ends once; its camera buffer goes back once nobody reads it any more."""

    def __init__(self, request: Any, slot: int, generation: int, metadata: dict[str, Any], file: str | None) -> None:
        self.request, self.slot, self.generation = request, slot, generation
        self.metadata, self.file = metadata, file
        self.future: Future[Any] = Future()
        self.sent = time.monotonic()
        #: While a worker has it, or is about to.
        self.pending: Pending | None = None
        #: When a worker began with it, and which.
        self.begun: float | None = None
        self.pid = 0
        self.timed_out = False
        self.over = False
        self.released = False

    def release(self) -> None:
        """The request is the camera's again."""
        if not self.released:
            self.released = True
            self.request.release()
