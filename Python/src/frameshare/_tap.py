"""A tap on a Picamera2: its completed requests, the requests that it queues when it starts, and its starts and stops.

picamera2 has one ``pre_callback``, which is the user's. The tap is between the camera's methods and that: it gives the camera
object a class of its own, derived from the one that it has, until the last who listens has gone. What users set stays
theirs, and reads as they set it.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Protocol

_log = logging.getLogger("frameshare")

_NAME = "_frameshare_tap"
_lock = threading.Lock()


class Listener(Protocol):
    """Whoever shares a camera."""

    def completed(self, request: Any) -> None:
        """A request has come, and users' callbacks have drawn on it. On the camera's own thread."""

    def holds(self, buffers: Any) -> bool:
        """Whether someone still reads one of a request's buffers: it must not be queued."""
        ...

    def closing(self) -> None:
        """The camera is about to be closed."""

    def closed(self) -> None:
        """The camera is closed."""


class Tap:
    """What is between one Picamera2 and those who listen."""

    def __init__(self, picam2: Any) -> None:
        self._picam2 = picam2
        self._class: Any = type(picam2)
        self._listeners: tuple[Listener, ...] = ()
        # The thread that is in process_requests, and what it has handed on there.
        self._thread: int | None = None
        self._told: list[Any] = []
        # Requests that start() was not given, with the camera's count of stops then.
        self._kept_back: list[tuple[int, Any]] = []
        #: Held while the camera starts or stops, and while FrameShare gives a request back: picamera2 itself looks whether
        #: the camera runs, and queues the request, under no lock of these. It comes after the listeners' locks that are held
        #: while they give back, and before picamera2's ``request_lock`` and the locks that ``holds`` takes. Nobody waits for
        #: the camera's thread while holding it.
        self.turning = threading.RLock()

    @staticmethod
    def of(picam2: Any) -> Tap:
        """The camera's tap. It does nothing as long as nobody listens."""
        with _lock:
            tap = picam2.__dict__.get(_NAME)
            if tap is None:
                tap = picam2.__dict__[_NAME] = Tap(picam2)
            return tap  # type: ignore[no-any-return]

    def add(self, listener: Listener) -> None:
        """Begins listening."""
        with _lock:
            if not self._listeners:
                self._picam2.__dict__[_NAME] = self
                self._picam2.__class__ = _tapped(self._class)
            self._listeners += (listener,)

    def remove(self, listener: Listener) -> None:
        """Ends listening. The last one leaves the camera as it was."""
        with _lock:
            self._listeners = tuple(each for each in self._listeners if each is not listener)
            if not self._listeners and self._picam2.__dict__.get(_NAME) is self:
                self._picam2.__class__ = self._class
                del self._picam2.__dict__[_NAME]
        self.resume()

    def process(self, processing: Any, *arguments: Any, **options: Any) -> Any:
        """Calls process_requests, whose thread sees the tap's callbacks in place of the user's."""
        self._thread, self._told = threading.get_ident(), []
        try:
            return processing(self._picam2, *arguments, **options)
        finally:
            self._thread, self._told = None, []

    @property
    def is_processing(self) -> bool:
        return self._thread == threading.get_ident()

    def tell(self, request: Any) -> None:
        """Hands a request on, once."""
        if any(request is each for each in self._told):
            return
        self._told.append(request)
        for listener in self._listeners:
            try:
                listener.completed(request)
            except Exception:
                # The camera's thread must go on.
                _log.exception("a frame was not shared")

    def requests(self, made: list[Any]) -> list[Any]:
        """What start() may queue of the requests that it has made: those whose buffers nobody reads."""
        stops = self._picam2.stop_count
        with self.turning:
            self._kept_back = []
            result: list[Any] = []
            for request in made:
                if self._is_held(request):
                    self._kept_back.append((stops, request))
                else:
                    result.append(request)
            return result

    def _is_held(self, request: Any) -> bool:
        return any(listener.holds(request.buffers) for listener in self._listeners)

    def resume(self) -> None:
        """Queues what was kept back and is held no longer. From any thread. What comes free while the camera starts is queued
        once it has started."""
        if not self._kept_back:
            return
        picam2 = self._picam2
        # As CompletedRequest.release() does.
        with self.turning, picam2.request_lock:
            left: list[tuple[int, Any]] = []
            for stops, request in self._kept_back:
                if picam2.camera is None or stops != picam2.stop_count:
                    continue  # the next start makes others
                if not picam2.started or self._is_held(request):
                    left.append((stops, request))
                    continue
                try:
                    picam2.camera.queue_request(request)
                except Exception:
                    # The next start makes others.
                    _log.exception("a request was not queued")
            self._kept_back = left

    def start(self, starting: Any) -> Any:
        """Calls start_: nobody gives requests back meanwhile."""
        with self.turning:
            result = starting(self._picam2)
            self.resume()
            return result

    def stop(self, stopping: Any, *arguments: Any, **options: Any) -> Any:
        """Calls stop_: nobody gives requests back meanwhile."""
        with self.turning:
            return stopping(self._picam2, *arguments, **options)

    def close(self, closing: Any) -> None:
        """Calls close, and says so before and after."""
        listeners = self._listeners
        for listener in listeners:
            listener.closing()
        try:
            closing(self._picam2)
        finally:
            for listener in listeners:
                listener.closed()


class _Chained:
    """A user's callback, and then the tap."""

    def __init__(self, tap: Tap, name: str, users: Any) -> None:
        self._tap, self._name, self.users = tap, name, users

    def __call__(self, request: Any) -> None:
        if self.users is not None:
            self.users(request)
        # What a post_callback draws belongs to the frame: then it is handed on after that.
        if self._name == "post_callback" or self._tap._picam2.__dict__.get("post_callback") is None:
            self._tap.tell(request)


class _Callback:
    """A callback of picamera2's as an attribute: users get and set theirs, process_requests gets the tap's too."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, picam2: Any, owner: Any = None) -> Any:
        if picam2 is None:
            return self
        users, tap = picam2.__dict__.get(self._name), picam2.__dict__.get(_NAME)
        return _Chained(tap, self._name, users) if tap is not None and tap.is_processing else users

    def __set__(self, picam2: Any, value: Any) -> None:
        picam2.__dict__[self._name] = value.users if isinstance(value, _Chained) else value


def _tapped(base: Any) -> Any:
    """A class like ``base`` for one camera."""

    def process_requests(self: Any, *arguments: Any, **options: Any) -> Any:
        tap = self.__dict__.get(_NAME)
        if tap is None:
            return base.process_requests(self, *arguments, **options)
        return tap.process(base.process_requests, *arguments, **options)

    def make_requests(self: Any) -> Any:
        tap, made = self.__dict__.get(_NAME), base._make_requests(self)
        return made if tap is None else tap.requests(made)

    def configure(self: Any, *arguments: Any, **options: Any) -> Any:
        # Its allocator lets old buffers go here, and wherever a request is released, which may be in another thread: two
        # at once raise KeyError. Requests are released under this lock.
        with self.request_lock:
            return base.configure_(self, *arguments, **options)

    def start(self: Any) -> Any:
        tap = self.__dict__.get(_NAME)
        return base.start_(self) if tap is None else tap.start(base.start_)

    def stop(self: Any, *arguments: Any, **options: Any) -> Any:
        tap = self.__dict__.get(_NAME)
        if tap is None:
            return base.stop_(self, *arguments, **options)
        return tap.stop(base.stop_, *arguments, **options)

    def close(self: Any) -> None:
        tap = self.__dict__.get(_NAME)
        if tap is None:
            base.close(self)
        else:
            tap.close(base.close)

    members = {
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__doc__": base.__doc__,
        "pre_callback": _Callback("pre_callback"),
        "post_callback": _Callback("post_callback"),
        "process_requests": process_requests,
        "_make_requests": make_requests,
        "configure_": configure,
        "start_": start,
        "stop_": stop,
        "close": close,
    }
    return type(base.__name__, (base,), members)
