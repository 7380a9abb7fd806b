"""Recording a channel to files, and clips of what came before an event: by the command ``frameshare record``."""

from __future__ import annotations

import os
import threading
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Generator, Iterator, Mapping, NamedTuple, TypedDict, Unpack, cast

from . import _arguments as arguments
from . import errors
from ._command import CHANNEL_LOST, INTERRUPTED, USAGE, find_command, message_of
from ._readable import Readable
from ._waiting import SLICE, Condition
from .frames import Loss
from .statistics import Monitor, SubscriberStatus

if TYPE_CHECKING:
    import subprocess

# What only recordings need is imported where it is used: `import frameshare` stays quick.


@dataclass(frozen=True)
class RecordedFile:
    """A file that is written to its end."""

    path: str
    #: Frames in it.
    frames: int
    #: The bytes of those frames, as they are encoded.
    bytes: int
    #: From the first frame's time to the end of the last one's.
    seconds: float


@dataclass(frozen=True)
class RecordingResult:
    """What a recording has written, and what it has lost."""

    files: tuple[RecordedFile, ...]
    #: Frames in all files.
    frames: int
    #: Packets that came before a keyframe, and are in no file.
    skipped: int
    #: Breaks in the frames' times.
    discontinuities: int
    #: Damaged frames.
    damaged: int
    #: How much of such breaks the files leave out.
    left_out_seconds: float
    #: Frames that did not come to the recorder. ``lost.policy``: the recorder was too slow.
    lost: Loss


class _Child:
    """The process of a recording, as its own thread sees it. The recording and the thread have it; who drops the recording ends
    it."""

    process: subprocess.Popen[bytes] | None = None

    def __init__(self) -> None:
        self.condition = Condition()
        self.files: list[RecordedFile] = []
        self.is_started = False
        self.last: _Counts | None = None
        self.exit_code: int | None = None
        self.owner = os.getpid()
        self.errors = ""
        # An eventfd for event loops, raised at each piece of news.
        self.event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.readable = Readable(clear=True)

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        """Starts the process, and the thread that hears it. Either both run, or nothing does."""
        import subprocess

        try:
            try:
                # A group of its own: Ctrl-C in a terminal is this program's to answer, and it ends the recording in order.
                # Where Ctrl-C comes before the assignment, the pipes are closed with the exception, which ends the recorder.
                self.process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                    process_group=0, bufsize=0,
                )
            except OSError as error:
                raise errors.NoCommand(f"{command[0]} can't be started: {error.strerror}") from error
            _children.add(self)
            threading.Thread(target=self.run, args=(self.process,), name="frameshare-record", daemon=True).start()
        except BaseException:
            if self.process is not None:
                self.kill()
                self.process.wait()
            raise

    def __del__(self) -> None:
        os.close(self.event)

    async def wait(self) -> None:
        """Waits for a piece of news, in an event loop."""
        await self.readable.wait(self.event)

    def run(self, process: subprocess.Popen[bytes]) -> None:
        """Hears what the process says, until it has ended."""
        rest: dict[Any, bytes] = {process.stdout: b"", process.stderr: b""}
        try:
            self._listen(process, rest)
        except BaseException:
            # What is not heard can't be waited for.
            process.kill()
            raise
        finally:
            exit_code = process.wait()
            _children.discard(self)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
            with self.condition:
                self.errors = message_of(rest[process.stderr].decode("utf-8", "replace"))
                self.exit_code = exit_code
                self._tell()

    def _listen(self, process: subprocess.Popen[bytes], rest: dict[Any, bytes]) -> None:
        import selectors

        out = process.stdout
        with selectors.DefaultSelector() as selector:
            for pipe in rest:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, 65536)
                    rest[key.fileobj] += data
                    if not data:
                        selector.unregister(key.fileobj)
                    if key.fileobj is out:
                        *lines, rest[out] = rest[out].split(b"\n")
                        for line in lines:
                            self._hear(line)

    def _hear(self, line: bytes) -> None:
        import json

        file, last = None, None
        try:
            news = json.loads(line)
            event = news["event"]
            if event == "file":
                file = RecordedFile(
                    _of(str, news["path"]), _of(int, news["frames"]), _of(int, news["bytes"]), float(_of((int, float), news["seconds"]))
                )
            elif event == "end":
                last = _counts(news)
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            return  # of a later release, perhaps: what counts is said as JSON, and in this form
        with self.condition:
            if event == "start":
                self.is_started = True
            elif file is not None:
                self.files.append(file)
            elif last is not None:
                self.last = last
            self._tell()

    def _tell(self) -> None:
        self.condition.notify_all()
        os.eventfd_write(self.event, 1)

    def stop(self) -> None:
        """Lets the command end: its standard input has."""
        pipe = None if self.process is None else self.process.stdin
        if pipe is not None and not pipe.closed:
            pipe.close()

    def kill(self) -> None:
        """Ends it now; the thread hears of it."""
        self.stop()
        if self.process is not None:
            self.process.kill()

    @property
    def is_over(self) -> bool:
        return self.exit_code is not None

    def result(self) -> RecordingResult:
        """Raises why the process has failed."""
        if self.exit_code not in (0, INTERRUPTED):
            raise self._failure()
        last = self.last or _counts({})
        frames = sum(file.frames for file in self.files) if last.frames is None else last.frames
        return RecordingResult(
            tuple(self.files), frames, last.skipped, last.discontinuities, last.damaged, last.left_out_seconds, last.lost
        )

    def _failure(self) -> errors.FrameShareError:
        code = self.exit_code or 0
        if code < 0:
            return errors.RecordingFailed(f"the recorder was ended by signal {-code}", code)
        text = self.errors or f"the recorder has ended with exit code {code}"
        if code == USAGE:
            return errors.InvalidArgument(text)
        if code == CHANNEL_LOST:
            return errors.PublisherLost(text) if self.is_started else errors.NoSuchChannel(text)
        return errors.RecordingFailed(text, code)


class _Counts(NamedTuple):
    """What a recorder says of itself at its end."""

    frames: int | None
    skipped: int
    discontinuities: int
    damaged: int
    left_out_seconds: float
    lost: Loss


def _counts(news: Mapping[str, Any]) -> _Counts:
    lost = _of(dict, news.get("lost", {}))
    return _Counts(
        None if "frames" not in news else _of(int, news["frames"]),
        _of(int, news.get("skipped", 0)),
        _of(int, news.get("discontinuities", 0)),
        _of(int, news.get("damaged", 0)),
        float(_of((int, float), news.get("left_out_seconds", 0))),
        Loss(
            _of(int, lost.get("source", 0)),
            _of(int, lost.get("no_free_slot", 0)),
            _of(int, lost.get("policy", 0)),
            _of(bool, lost.get("known", True)),
        ),
    )


def _of(kind: Any, value: Any) -> Any:
    """A value of JSON, which should be of this kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of the kind that a recorder says there")
    return value


#: Those that run. A forked child must not hold their standard input open: it is what ends them with this process.
_children: weakref.WeakSet[_Child] = weakref.WeakSet()


def _forget_children() -> None:
    for child in list(_children):
        child.stop()


os.register_at_fork(after_in_child=_forget_children)


class Recording:
    """A recording that runs. Made by ``frameshare.record``.

    >>> with frameshare.record("camera0", "door.mp4") as recording:
    ...     time.sleep(10)
    >>> recording.result.frames

    ``for file in recording`` and ``async for file in recording`` give each file when it is written to its end, until the
    recording has. ``await recording`` waits for the end. Leaving a ``with`` block stops it and waits. A recording that is dropped
    ends, and so does one whose program is killed: what was recorded can be played.

    Any thread may call any method.
    """

    def __init__(self, child: _Child, channel: str, path: str, folder: str | None, clips: bool) -> None:
        #: What is recorded.
        self.channel = channel
        #: The file that was asked for. See ``files`` for those that there are.
        self.path = path
        self._child = child
        self._folder = folder
        self._clips = clips

    @property
    def pid(self) -> int:
        """The process that records."""
        process = self._child.process
        assert process is not None  # it was started before anyone had this
        return process.pid

    @property
    def running(self) -> bool:
        """Whether it records still."""
        return not self._child.is_over

    @property
    def files(self) -> tuple[RecordedFile, ...]:
        """The files that are written to their end."""
        with self._child.condition:
            return tuple(self._child.files)

    @property
    def result(self) -> RecordingResult:
        """What came of it. Raises as ``wait``; ``InvalidArgument`` while it runs."""
        if self.running:
            raise errors.InvalidArgument("the recording runs still: wait() for its end, or stop() it")
        return self._child.result()

    def wait(self, timeout: float | None = None) -> RecordingResult:
        """Waits for the end, which comes with the channel's, or with the limits that were given.

        Raises ``TimedOut`` when ``timeout`` seconds have passed, ``PublisherLost`` when the channel was lost, and
        ``RecordingFailed`` when the file or the encoder has failed. The text is the command's own.
        """
        _until(self._child, lambda: self._child.is_over, timeout, f"the recording of {self.channel} has not ended")
        return self._child.result()

    def stop(self, timeout: float | None = None) -> RecordingResult:
        """Ends it in order, and waits for that: the file is whole. Raises as ``wait``. Again does nothing."""
        limit = None if timeout is None else arguments.seconds("timeout", timeout)
        self._child.stop()
        return self.wait(limit)

    async def astop(self) -> RecordingResult:
        """As ``stop``, for asyncio."""
        self._child.stop()
        return await self

    def kill(self) -> None:
        """Ends it at once. What was recorded can be played, but for the last second or so."""
        self._child.kill()

    def progress(self) -> SubscriberStatus | None:
        """What the recorder got and lost so far, as the channel's publisher sees it; None when the channel has ended, or the recorder
        is not connected to it now."""
        try:
            with Monitor(self.channel, directory=self._folder) as monitor:
                statistics = monitor.statistics()
        except (errors.NoSuchChannel, errors.PublisherLost):
            return None
        subscribers = () if statistics is None else statistics.subscribers
        return next((subscriber for subscriber in subscribers if subscriber.pid == self.pid), None)

    def trigger(self, post: float | None = None) -> None:
        """Lets this recording write a clip, from some seconds before this moment on. ``post``: how many seconds it goes on; None: as
        the recording was told. Triggers may follow each other closely: each gets a whole clip. Any program can trigger all
        recordings of a channel: ``frameshare.trigger``, ``frameshare trigger``.

        Raises ``InvalidArgument`` for a recording without ``on_trigger``, and ``Released`` for one that has ended.
        """
        if not self._clips:
            raise errors.InvalidArgument("this recording has no trigger: make it with on_trigger=True")
        message = _message(post)
        prefix = f"{self.channel}.{self.pid}-"
        for path in _trigger_sockets(_folder(self._folder), self.channel):
            if os.path.basename(path).startswith(prefix) and _send(path, message):
                return
        raise errors.Released(f"the recording of {self.channel} has ended, and hears no trigger")

    def __iter__(self) -> Iterator[RecordedFile]:
        given = 0
        while True:
            _until(self._child, lambda: len(self._child.files) > given or self._child.is_over, None, "")
            if len(self._child.files) > given:
                given += 1
                yield self._child.files[given - 1]
            else:
                self._child.result()
                return

    async def __aiter__(self) -> AsyncIterator[RecordedFile]:
        given = 0
        while True:
            await _news(self._child, lambda: len(self._child.files) > given or self._child.is_over)
            if len(self._child.files) > given:
                given += 1
                yield self._child.files[given - 1]
            else:
                self._child.result()
                return

    def __await__(self) -> Generator[Any, None, RecordingResult]:
        return self._awaited().__await__()

    async def _awaited(self) -> RecordingResult:
        await _news(self._child, lambda: self._child.is_over)
        return self._child.result()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.stop()
        except errors.FrameShareError:
            # What the block raised counts.
            if kind is None:
                raise

    async def __aenter__(self) -> Recording:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            await self.astop()
        except errors.FrameShareError:
            if kind is None:
                raise

    def __del__(self) -> None:
        child = getattr(self, "_child", None)
        if child is not None:
            child.stop()

    def __repr__(self) -> str:
        return f"<frameshare.Recording of {self.channel} to {self.path}, {'running' if self.running else 'ended'}>"


def record(
    channel: str,
    path: str | os.PathLike[str],
    *,
    stream: str | None = None,
    codec: str | None = None,
    quality: int | None = None,
    bit_rate: int | None = None,
    keyframe_interval: int | None = None,
    b_frames: int | None = None,
    low_latency: bool = False,
    preset: str | None = None,
    profile: str | None = None,
    rate: float | None = None,
    damaged: bool = False,
    split_time: float | None = None,
    split_size: int | None = None,
    on_trigger: bool = False,
    pre: float | None = None,
    post: float | None = None,
    sidecar: bool = False,
    overwrite: bool = False,
    policy: str | None = None,
    seconds: float | None = None,
    frames: int | None = None,
    reconnect: bool = False,
    directory: str | os.PathLike[str] | None = None,
    command: str | os.PathLike[str] | None = None,
) -> Recording:
    """Records a channel to a file (.mp4, .mkv, .ts, .avi, or for raw .nut), in a process of its own; returns when that has
    begun.

    Each argument does what the option of ``frameshare record`` of its name does; that command does the work, and
    ``frameshare record --help`` says more. Times are in seconds, ``split_size`` in bytes, ``bit_rate`` in bits a second. Frames
    are encoded (``codec``: "h264", "hevc", "mjpeg" or "raw"), packets are recorded as they are. ``seconds`` and ``frames`` end it
    by themselves. ``split_time`` and ``split_size`` begin a next file. With ``on_trigger`` the last ``pre`` seconds (5) are kept in
    memory, and each trigger makes a file that ends ``post`` seconds (10) after it: clip-000.mp4, clip-001.mp4, ...

    Raises ``NoSuchChannel``, ``InvalidArgument``, and ``RecordingFailed`` such as for a file that is there already
    (``overwrite=True`` replaces it); the texts are the command's own. ``NoCommand`` where the command is not to be found: it is
    looked for in this package, beside the running Python, and on the PATH.
    """
    recording = _start(locals())
    child = recording._child
    try:
        _until(child, lambda: child.is_started or child.is_over, None, "")
    except BaseException:
        child.kill()  # Ctrl-C: nothing has begun
        raise
    return _begun(recording)


class RecordOptions(TypedDict, total=False):
    """The options of ``record``, by their names."""

    stream: str | None
    codec: str | None
    quality: int | None
    bit_rate: int | None
    keyframe_interval: int | None
    b_frames: int | None
    low_latency: bool
    preset: str | None
    profile: str | None
    rate: float | None
    damaged: bool
    split_time: float | None
    split_size: int | None
    on_trigger: bool
    pre: float | None
    post: float | None
    sidecar: bool
    overwrite: bool
    policy: str | None
    seconds: float | None
    frames: int | None
    reconnect: bool
    directory: str | os.PathLike[str] | None
    command: str | os.PathLike[str] | None


async def record_async(channel: str, path: str | os.PathLike[str], **options: Unpack[RecordOptions]) -> Recording:
    """As ``record``, with the same options, for asyncio.

    >>> async with await frameshare.record_async("camera0", "door.mp4") as recording:
    ...     await asyncio.sleep(10)
    """
    recording = _start({**_DEFAULTS, **_known(options), "channel": channel, "path": path})
    child = recording._child
    try:
        await _news(child, lambda: child.is_started or child.is_over)
    except BaseException:
        child.kill()
        raise
    return _begun(recording)


def trigger(channel: str, post: float | None = None, *, directory: str | os.PathLike[str] | None = None) -> int:
    """Lets all recordings that wait for an event of a channel write a clip, in whatever process; returns how many. ``post``: how many
    seconds a clip goes on; None: as its recording was told."""
    arguments.text("channel", channel)
    message = _message(post)
    folder = _folder(None if directory is None else os.fspath(directory))
    heard = 0
    first_error: OSError | None = None
    for path in _trigger_sockets(folder, channel):
        try:
            heard += _send(path, message)
        except OSError as error:
            # The others are to have it all the same.
            first_error = first_error or error
    if first_error is not None:
        raise first_error
    return heard


# The command line

#: The options that take a value, with what is to be done with it first.
_VALUES: dict[str, Callable[[str, Any], Any]] = {
    "stream": arguments.text,
    "codec": arguments.text,
    "quality": lambda name, value: arguments.whole(name, value, 1),
    "bit_rate": lambda name, value: arguments.whole(name, value, 1, 10**12 - 1),
    "keyframe_interval": lambda name, value: arguments.whole(name, value, 1),
    "b_frames": lambda name, value: arguments.whole(name, value),
    "preset": arguments.text,
    "profile": arguments.text,
    "rate": lambda name, value: repr(arguments.positive(name, value, "frames a second")),
    "split_time": lambda name, value: _time(name, value),
    "split_size": lambda name, value: arguments.whole(name, value, 1, 2**63 - 1),
    "pre": lambda name, value: _time(name, value),
    "post": lambda name, value: _time(name, value),
    "policy": arguments.text,
    "seconds": lambda name, value: _time(name, value),
    "frames": lambda name, value: arguments.whole(name, value, 1, 2**63 - 1),
}
_FLAGS = ("low_latency", "damaged", "on_trigger", "sidecar", "overwrite", "reconnect")
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(_VALUES), **dict.fromkeys(_FLAGS, False), "directory": None, "command": None,
}


def _known(options: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in options:
        if name not in _DEFAULTS:
            raise TypeError(f"record_async() got an unexpected keyword argument '{name}'")
    return options


def _time(name: str, value: Any) -> str:
    # The command takes no more than 30 years, and no exponents.
    return f"{min(arguments.seconds(name, value), 9e8):.9f}s"


def _start(given: dict[str, Any]) -> Recording:
    """Starts the process."""
    channel = arguments.text("channel", given["channel"])
    path: str = os.fsdecode(given["path"])
    command: Any = given["command"]
    words = [cast(str, os.fspath(command)) if command is not None else find_command()]
    words += ["record", "--json", "--stop-at-eof", f"--output={arguments.text('path', path)}"]
    for name, checked in _VALUES.items():
        if given[name] is not None:
            words.append(f"--{name.replace('_', '-')}={checked(name, given[name])}")
    words += [f"--{name.replace('_', '-')}" for name in _FLAGS if given[name]]
    environment = dict(os.environ)
    directory: Any = given["directory"]
    folder = None if directory is None else cast(str, os.fspath(directory))
    if folder is not None:
        environment["FRAMESHARE_DIR"] = os.fsdecode(folder)
    # Made first: whatever ends the program's way to it ends the recorder, too.
    recording = Recording(_Child(), channel, path, folder, bool(given["on_trigger"]))
    recording._child.start([*words, "--", channel], environment)
    return recording


def _begun(recording: Recording) -> Recording:
    child = recording._child
    if not child.is_started:
        child.result()  # raises what has failed
        raise errors.RecordingFailed("the recorder has ended before it began")
    return recording


# Waiting


def _until(child: _Child, is_so: Any, timeout: float | None, what: str) -> None:
    """Waits until something is so; Ctrl-C ends the waiting."""
    _check_owner(child)
    end = None if timeout is None else time.monotonic() + arguments.seconds("timeout", timeout)
    with child.condition:
        while not is_so():
            left = SLICE if end is None else min(SLICE, end - time.monotonic())
            if left <= 0:
                raise errors.TimedOut(f"{what} after {timeout} seconds")
            child.condition.wait(left)


def _check_owner(child: _Child) -> None:
    if child.owner != os.getpid():
        raise errors.Forked("a recording belongs to the process that made it; this one was forked since")


async def _news(child: _Child, is_so: Any) -> None:
    """Waits in an event loop until something is so."""
    _check_owner(child)
    import asyncio

    while not is_so():
        waiting = asyncio.ensure_future(child.wait())
        try:
            # It may have become so between the look and the wait: the eventfd is cleared by whoever waits first.
            await asyncio.wait({waiting}, timeout=None if not is_so() else 0)
        finally:
            waiting.cancel()


# Triggers: a datagram socket CHANNEL.PID-N.trigger beside the channel's, which takes 8 bytes: how long to go on, in ns; below 0: as
# the recorder was told.


def _message(post: float | None) -> bytes:
    import struct

    return struct.pack("=q", -1 if post is None else int(min(arguments.seconds("post", post), 9e8) * 1e9))


def _folder(given: str | None) -> str:
    """The folder of the channels, as the library finds it."""
    if given is not None:
        return given
    if folder := os.environ.get("FRAMESHARE_DIR"):
        return folder
    if folder := os.environ.get("XDG_RUNTIME_DIR"):
        return f"{folder}/frameshare"
    return "/run/frameshare"


def _trigger_sockets(folder: str, channel: str) -> Iterator[str]:
    import stat

    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        middle = name.removeprefix(f"{channel}.").removesuffix(".trigger")
        # What stands between has no point: camera0's is not that of camera0.left.
        if name == f"{channel}.{middle}.trigger" and middle and "." not in middle:
            path = os.path.join(folder, name)
            try:
                is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
            except FileNotFoundError:
                continue  # its recorder has just ended
            if is_socket:
                yield path


def _send(path: str, message: bytes) -> bool:
    """Whether a recorder hears it."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect(path)
            sender.send(message, socket.MSG_DONTWAIT)
        except (ConnectionRefusedError, FileNotFoundError):
            return False  # its recorder was killed, or has just ended
    return True
