"""How channels and subscribers are doing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import _native
from ._arguments import text
from .controls import Control, ControlValue, listed, set_control
from .frames import Loss

_POLICIES: tuple[str, ...] = ("latest", "queue", "every-frame")


@dataclass(frozen=True)
class SubscriberStatistics:
    """What a subscriber got and lost. Latencies, from publication to taking, are in nanoseconds."""

    delivered: int
    held: int
    lost: Loss
    connections: int
    latency_p50: int
    latency_p99: int
    latency_max: int
    publisher_pid: int
    publisher_uid: int
    slots: int
    #: Frames that were not given since it asked for fewer. No losses.
    passed_over: int


@dataclass(frozen=True)
class _Figures:
    """Numbers of a C struct. Those that the struct has beyond the ones named in the class are attributes too."""

    #: All of the struct's numbers, by name.
    figures: Mapping[str, int] = field(repr=False, hash=False)

    def __getattr__(self, name: str) -> int:
        # Not by `self.figures`: while an object is made or unpickled there is none.
        figures: Mapping[str, int] = self.__dict__.get("figures", {})
        if name in figures:
            return figures[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.figures})


def _named(kind: type[_Figures], c: Mapping[str, Any]) -> dict[str, Any]:
    """What a class names of a C struct's numbers, and all of them."""
    named = {name: c[name] for name in kind.__annotations__ if isinstance(c.get(name), int)}
    # What is not named is a figure that came later, or room between members.
    figures = {name: n for name, n in c.items() if isinstance(n, int) and (name in named or "reserved" not in name)}
    return {**named, "figures": figures}


@dataclass(frozen=True)
class SubscriberStatus(_Figures):
    """A subscriber, as its publisher sees it. Ages and latencies are in nanoseconds."""

    id: int
    pid: int
    uid: int
    name: str
    policy: str
    budget: int
    reserved: bool
    queued: int
    held: int
    delivered: int
    dropped_by_policy: int
    dropped_by_budget: int
    dropped_by_shortage: int
    oldest_lease_age: int
    latency_p50: int
    latency_p99: int
    latency_max: int
    age: int
    #: Copies that it was offered, and whether it lags and is offered copies now.
    copies: int
    gets_copies: bool


@dataclass(frozen=True)
class GroupStatus(_Figures):
    """A group of subscribers that share the frames."""

    name: str
    members: int
    #: Requests that are open.
    pending: int
    #: Frames that a member was given, and those that none had room for.
    given: int
    lost: int
    #: Requests that were answered, and that failed; replies that nobody waited for.
    answered: int
    failed: int
    discarded: int


@dataclass(frozen=True)
class ChannelStatistics(_Figures):
    """A channel, as its publisher sees it. Ages are in nanoseconds; ``since_last_frame`` is -1 before the first."""

    publisher_pid: int
    publisher_uid: int
    generation: int
    slots: int
    slots_free: int
    slots_at_source: int
    source_need: int
    slots_reserved: int
    retired_slots_held: int
    published: int
    lost_source: int
    lost_no_free_slot: int
    age: int
    since_last_frame: int
    source_name: str
    #: Slots for copies (see ``Publisher``'s ``copies``), those that nobody holds, the slots that the source is to keep, and
    #: frames copied. All 0 where there are none.
    copy_slots: int
    copy_slots_free: int
    copy_floor: int
    copied: int
    #: Errors of the source that it went on after, and what is amiss with it now, in its own words; "" if nothing is.
    source_errors: int
    source_trouble: str
    #: Frames that were published although their data is damaged, or no whole image.
    damaged: int
    subscribers: tuple[SubscriberStatus, ...]


def subscriber_statistics(c: Mapping[str, Any]) -> SubscriberStatistics:
    """Of the extension's numbers."""
    lost = Loss(c["lost_source"], c["lost_no_free_slot"], c["lost_policy"], not c["lost_unknown"])
    return SubscriberStatistics(lost=lost, **{name: c[name] for name in SubscriberStatistics.__annotations__ if name != "lost"})


def channel_statistics(asked: Any, ask: Any = _native.channel_statistics) -> ChannelStatistics | None:
    """Asks a publisher or monitor, or by ``ask`` something else; None when the channel has ended."""
    found = ask(asked)
    if found is None:
        return None
    c, people = found
    texts = {"source_name": c["source_name"], "source_trouble": c["source_trouble"]}
    subscribers = tuple(_status(person) for person in people)
    members: dict[str, Any] = {**_named(ChannelStatistics, c), **texts, "subscribers": subscribers}
    return ChannelStatistics(**members)


def _status(c: Mapping[str, Any]) -> SubscriberStatus:
    policy = _POLICIES[int(c["policy"])] if c["policy"] < len(_POLICIES) else "unknown"
    members: dict[str, Any] = {
        **_named(SubscriberStatus, c),
        "name": c["name"],
        "policy": f"queue:{c['queue_depth']}" if policy == "queue" else policy,
        "reserved": bool(c["reserved"]),
        "gets_copies": bool(c["gets_copies"]),
    }
    return SubscriberStatus(**members)


def group_statuses(asked: Any) -> tuple[GroupStatus, ...]:
    """Asks a publisher or monitor; nothing when the channel has ended."""
    return tuple(GroupStatus(**{**_named(GroupStatus, c), "name": c["name"]}) for c in _native.group_statuses(asked))


class Monitor:
    """Watches a channel without taking frames from it."""

    def __init__(self, channel: str, *, directory: str | os.PathLike[str] | None = None) -> None:
        self._handle = _native.monitor_open(text("channel", channel), directory)

    def statistics(self) -> ChannelStatistics | None:
        """How the channel is doing now; None when it has ended."""
        return channel_statistics(self._handle)

    def groups(self) -> tuple[GroupStatus, ...]:
        """How its groups are doing."""
        return group_statuses(self._handle)

    def controls(self) -> dict[str, Control]:
        """The controls of the channel's source, by name, with their values as text. Waits for the source's answer;
        ``Refused`` where it has none."""
        return listed(self._handle)

    def set_control(self, name: str, value: ControlValue) -> str:
        """Sets a control of the channel's source while frames go on; returns the value that it has then, which a driver may
        have rounded. With which frame it takes effect, a frame's metadata tells. ``Refused``, with the source's reason, where
        it was not set.

        >>> Monitor("camera0").set_control("ExposureTime", 8000)
        """
        return set_control(self._handle, name, value)

    def close(self) -> None:
        """Ends it. Twice does nothing."""
        self._handle.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
