"""Programs that work on the frames that a group is given."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Any, Callable, Iterable

from . import errors
from ._arguments import environment_rate, whole
from .frames import Frame
from .groups import Reply
from .subscriber import Subscriber

_log = logging.getLogger("frameshare")


class Worker:
    """Works on the frames that a group is given, one at a time, and answers them.

    >>> def handle(frame):
    ...     return {"mean": float(frame["main"].array.mean())}
    >>> Worker("camera0", "brightness", handle).run()

    What ``handle`` returns is the answer: None, bytes, or a dictionary. What it raises is told to whoever asked, and the
    next frame comes. ``frame.request`` says how far it is, and whether the answer is still wanted: once
    ``frame.request.cancelled`` is True, what ``handle`` returns or raises is dropped. The frame stays as it is until ``handle``
    has returned.

    ``frameshare workers camera0 --count 4 -- python3 worker.py`` keeps four of a program running: then channel and group
    may be left out. ``queue`` frames wait beside the one that is worked on; other options are ``Subscriber``'s.
    """

    def __init__(
        self,
        channel: str | None = None,
        group: str | None = None,
        handle: Callable[[Frame], Reply] | None = None,
        *,
        streams: Iterable[str] | None = None,
        queue: int = 1,
        **options: Any,
    ) -> None:
        channel = channel or os.environ.get("FRAMESHARE_CHANNEL")
        group = os.environ.get("FRAMESHARE_GROUP") or group or "workers"
        if channel is None or handle is None:
            raise errors.InvalidArgument("a worker needs a channel (or FRAMESHARE_CHANNEL) and a function to handle frames")
        self._handle = handle
        self._stopping = False
        if (rate := os.environ.get("FRAMESHARE_RATE")) is not None and options.get("rate") is None:
            options["rate"] = environment_rate(rate)
        queue = whole("queue", queue, 1)
        options.setdefault("budget", queue + 1)
        #: Its connection to the channel.
        self.subscriber = Subscriber(channel, group=group, streams=streams, policy=f"queue:{queue}", **options)

    def run(self) -> int:
        """Works until the channel ends, ``stop()`` is called, or SIGTERM comes; returns how many frames it has had."""
        restored = self._take_signal()
        if os.environ.get("FRAMESHARE_WORKER"):
            # Started by 'frameshare workers': its end, however it comes, is ours.
            threading.Thread(target=self._stop_at_end_of_input, daemon=True).start()
        count = 0
        try:
            while not self._stopping:
                try:
                    frame = self.subscriber.next()
                except errors.Released:
                    break
                if frame is None:
                    break
                count += 1
                self._work_on(frame)
        finally:
            self.subscriber.close()
            if restored is not None:
                signal.signal(signal.SIGTERM, restored)
        return count

    def stop(self) -> None:
        """Takes no more frames: those that wait go to other members, and ``run`` returns once the one that is worked on is
        answered. From any thread."""
        self._stopping = True
        self.subscriber.close()

    def _work_on(self, frame: Frame) -> None:
        # Given back only after the answer: until then another member can still be given it.
        with frame:
            request = frame.request
            assert request is not None  # a member's frames all have one
            try:
                reply = self._handle(frame)
                if not request.ended:
                    request.answer(reply)
            except errors.Released:
                if not self._stopping:
                    raise
            except Exception as error:
                # To leave off by an exception what nobody waits for is no failure.
                if not request.cancelled:
                    _log.exception("frame %d failed", request.frame)
                try:
                    request.fail(f"{type(error).__name__}: {error}")
                except errors.FrameShareError:
                    pass  # the publisher has gone, and with it whoever asked

    def _take_signal(self) -> Any:
        """Lets SIGTERM stop it in order, unless the program has a use for it of its own."""
        if threading.current_thread() is not threading.main_thread():
            return None
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return None
        return signal.signal(signal.SIGTERM, self._stop_by_signal)

    def _stop_by_signal(self, *_: object) -> None:
        self.stop()

    def _stop_at_end_of_input(self) -> None:
        try:
            while os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 512):
                pass
        except OSError:
            pass
        self.stop()
