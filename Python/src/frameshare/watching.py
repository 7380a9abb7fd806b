"""The channels of a folder: which there are, and which appear and vanish."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, AsyncIterator, Iterator, Mapping

from . import _native, errors
from ._readable import Readable

_STATES = {1: "live", 2: "left behind", 3: "not allowed"}
_KINDS = {1: "appeared", 2: "changed", 3: "vanished"}


class Channel(str):
    """A channel of a folder: its name, with what the folder shows of it. Nothing of the channel is taken to find that out.

    >>> [channel for channel in frameshare.channels() if channel.live]
    ['camera0']
    """

    #: "live": a publisher listens; "left behind": it was killed, and the next one of this name takes its place; "not allowed":
    #: the socket does not let this process in, so that is unknown.
    state: str
    #: Who may connect: the socket's mode (connecting needs write permission), its user and its group, by number. The publisher may
    #: have a list of users besides.
    mode: int
    uid: int
    gid: int

    def __new__(cls, name: str, state: str = "live", mode: int = 0o600, uid: int = 0, gid: int = 0) -> Channel:
        channel = super().__new__(cls, name)
        channel.state, channel.mode, channel.uid, channel.gid = state, mode, uid, gid
        return channel

    @property
    def live(self) -> bool:
        """Whether a publisher listens."""
        return self.state == "live"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (str(self), self.state, self.mode, self.uid, self.gid)


@dataclass(frozen=True)
class ChannelChange:
    """Something that has happened to a channel."""

    #: "appeared": a publisher offers it, or its socket was there when the watch began; "changed": its publisher was killed, or who
    #: may connect is another matter now; "vanished".
    kind: str
    #: The channel as it is now; of one that has vanished, what was known of it last.
    channel: Channel


def _channel(members: Mapping[str, Any]) -> Channel:
    state = _STATES.get(members["state"], "unknown")
    return Channel(members["name"], state, members["mode"], members["uid"], members["gid"])


def channels(directory: str | os.PathLike[str] | None = None) -> list[Channel]:
    """The channels in a folder (None: the standard one), sorted by name. Each is a ``str`` with more to it: one that a killed
    publisher has left is among them, and is not ``live``."""
    return [_channel(members) for members in _native.channel_list(directory)]


class ChannelWatch:
    """Tells which channels of a folder appear and vanish. Made by ``frameshare.watch_channels``.

    The channels that are there when it begins come first, as "appeared". A channel whose publisher was replaced vanishes and
    appears. Changes that undo each other between two looks are not told. Waiting costs nothing: the kernel tells of changes.

    A ``for`` or ``async for`` loop ends when the watch is closed. Any thread may call any method; threads that wait at once share
    the changes.
    """

    def __init__(self, handle: Any) -> None:
        self._handle: Any = handle
        self._readable = Readable(clear=False)

    def _open(self) -> Any:
        if self._handle is None:
            raise errors.Released("this watch was closed")
        return self._handle

    def next(self, timeout: float | None = None) -> ChannelChange:
        """The next change; waits for it. ``TimedOut`` when ``timeout`` seconds have passed."""
        members = _native.watch_next(self._open(), timeout)
        return ChannelChange(_KINDS.get(members["change"], "unknown"), _channel(members))

    async def anext(self) -> ChannelChange:
        """As ``next``, for asyncio."""
        while True:
            try:
                return self.next(0)
            except errors.TimedOut:
                await self._readable.wait(self.fileno())

    def __iter__(self) -> Iterator[ChannelChange]:
        while self._handle is not None:
            try:
                change = self.next()
            except errors.Released:
                return
            yield change

    async def __aiter__(self) -> AsyncIterator[ChannelChange]:
        while self._handle is not None:
            try:
                change = await self.anext()
            except errors.Released:
                return
            yield change

    def fileno(self) -> int:
        """For event loops: readable when ``next(0)`` should be called, until that raises ``TimedOut``."""
        return _native.watch_poll_fd(self._open())

    def close(self) -> None:
        """Ends the watch, and the loops over it. Twice does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._readable.end()
            handle.close()

    def __enter__(self) -> ChannelWatch:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def watch_channels(directory: str | os.PathLike[str] | None = None) -> ChannelWatch:
    """Watches which channels of a folder (None: the standard one) appear and vanish. The folder need not be there yet.

    >>> with frameshare.watch_channels() as watch:
    ...     for change in watch:
    ...         print(change.kind, change.channel, change.channel.state)
    appeared camera0 live
    """
    return ChannelWatch(_native.watch_open(directory))
