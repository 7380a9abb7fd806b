"""Publishing frames."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence, Union

from . import _native, errors
from ._arguments import encoded, mapping, nanoseconds, text, whole
from ._native import Slot
from .controls import Control, Settings
from .controls import described as described_controls
from .groups import Pending, Results, ask_options
from .metadata import Value
from .statistics import ChannelStatistics, GroupStatus, channel_statistics, group_statuses
from .streams import Stream, described

if TYPE_CHECKING:
    import threading

    import numpy.typing as npt

__all__ = ["Content", "Publisher", "Slot", "Streams"]

_CONTROL_ACCESS = ("owner", "nobody", "everyone")

#: What `publish` takes for a stream: an array shaped like ``Image.array``, one for each plane, or a compressed frame's bytes.
Content = Union["npt.NDArray[Any]", Sequence["npt.NDArray[Any]"], bytes, bytearray, memoryview]
Streams = Union[Mapping[str, Union[Stream, tuple[int, int, str]]], Sequence[Stream]]


def publisher_options(
    *,
    mode: int = 0o600,
    group: str | None = None,
    memory: str = "memfd",
    metadata_capacity: int = 65536,
    source_name: str = "Python",
    directory: str | os.PathLike[str] | None = None,
    **numbers: int,
) -> dict[str, Any]:
    """How a channel is offered, for the extension."""
    options: dict[str, Any] = {
        "mode": whole("mode", mode, most=0o777),
        "metadata_capacity": metadata_capacity,
        "source_name": encoded(source_name),
        "memory": encoded(memory),
        **numbers,
    }
    for key, given in (("group", group), ("directory", directory)):
        if given is not None:
            options[key] = encoded(given)
    return options


def _slots(slots: int) -> int:
    try:
        return whole("slots", slots)
    except errors.InvalidArgument:
        raise errors.LayoutError(f"a pool of {slots} slots is not possible; ask for 2 to 1024") from None


class Publisher(_native.Publisher):
    """Offers frames to any number of subscribers.

    >>> with Publisher("camera0", {"main": (640, 480, "BGR888")}) as publisher:
    ...     publisher.publish(array, metadata={"ExposureTime": 8000})

    ``streams`` names the images of each frame, as (width, height, format) or as a ``Stream``; ``slots`` is how many
    frames the pool holds. ``memory`` is "memfd" (readers can't write to it), "auto", "heap", "heap:NAME" or "udmabuf".
    ``mode``, ``group`` and ``allowed_users`` say who may connect. Any may hold a frame for ``lease_limit`` seconds.

    ``stall_limit`` is for how many seconds of any minute the subscribers of one user that asked for every frame, all
    together, may stall the source. 0 is for a live source, such as a camera, which waits for nobody: a subscriber without
    room loses the frame, as its own loss, and keeps its place. So does one whose user has used up the time; None: for ever.

    With ``copies``, so many slots of ordinary memory are taken for subscribers that lag: while fewer than ``copy_floor`` slots
    (one more than ``source_need``) would be left to the source, they are offered copies, and the source keeps its slots.
    A subscriber that does not fit a reconfiguration, by its streams or its reservation, is disconnected; with
    ``keep_misfits`` it stays, and waits for one that it fits.
    ``control_access`` is who may set what ``offer_controls`` offers, of those who may connect: "owner", the publisher's own
    user, and root; "nobody"; "everyone". ``numbers`` are further options of C's ``struct frameshare_publisher_options`` that
    are plain numbers, by their names.
    """

    def __init__(
        self,
        channel: str,
        streams: Streams,
        *,
        slots: int = 8,
        mode: int = 0o600,
        group: str | None = None,
        allowed_users: Sequence[int] | None = None,
        memory: str = "memfd",
        metadata_capacity: int = 65536,
        source_need: int = 1,
        stall_limit: float | None = 0.0,
        lease_limit: float | None = None,
        copies: int = 0,
        copy_floor: int | None = None,
        control_access: str = "owner",
        keep_misfits: bool = False,
        source_name: str = "Python",
        directory: str | os.PathLike[str] | None = None,
        buffers: Sequence[tuple[int, str, int]] | None = None,
        **numbers: int,
    ) -> None:
        #: The streams of its frames.
        self.streams = _streams(streams)
        for name in numbers:
            if "reserved" in name or name == "copy_slots":
                raise TypeError(f"Publisher() got an unexpected keyword argument {name!r}")
        if control_access not in _CONTROL_ACCESS:
            raise errors.InvalidArgument(f"there is no control_access '{control_access}'; use owner, nobody or everyone")
        options = publisher_options(
            mode=mode,
            group=group,
            memory=memory,
            metadata_capacity=metadata_capacity,
            source_name=source_name,
            directory=directory,
            source_need=source_need,
            stall_limit=-1 if stall_limit is None else max(0, nanoseconds("stall_limit", stall_limit)),
            lease_limit=0 if lease_limit is None else max(1, nanoseconds("lease_limit", lease_limit)),
            copy_slots=whole("copies", copies),
            copy_floor=0 if copy_floor is None else whole("copy_floor", copy_floor),
            control_access=_CONTROL_ACCESS.index(control_access),
            keep_misfits=bool(keep_misfits),
            **numbers,
        )
        users = None if allowed_users is None else tuple(allowed_users)
        own = None if buffers is None else _buffers(buffers)
        try:
            self._open(text("channel", channel), described(self.streams), _slots(slots), options, users, own)
        except TypeError as error:
            if str(error).startswith("got an unexpected keyword"):
                raise TypeError(f"Publisher() {error}") from None
            raise

    # Frames of the library's own pool

    def publish(
        self,
        content: Content | Mapping[str, Content],
        *,
        metadata: Mapping[str, Value] | None = None,
        timestamp: int | None = None,
        clock: str = "monotonic",
        sequence: int | None = None,
        flags: int = 0,
        timeout: float | None = None,
    ) -> int:
        """Copies arrays into a free slot and publishes it; returns the frame's number, from 1.

        ``content`` is for the only stream, or a mapping with one for each. ``timestamp`` is in nanoseconds; None: now.
        """
        with self.slot(timeout) as slot:
            self._fill(slot, content)
            if metadata is not None:
                slot.metadata.update(mapping("metadata", metadata))
            slot.timestamp, slot.clock, slot.sequence, slot.flags = timestamp, clock, sequence, flags
            return slot.publish()

    def _fill(self, slot: Slot, content: Content | Mapping[str, Content]) -> None:
        for name, data in self._by_stream(content).items():
            slot.fill(name, data)

    def _by_stream(self, content: Content | Mapping[str, Content]) -> Mapping[str, Content]:
        if isinstance(content, Mapping):
            missing = {stream.name for stream in self.streams} - set(content)
            if missing:
                raise errors.NoSuchStream(f"there is nothing to publish for {', '.join(sorted(missing))}")
            return content
        if len(self.streams) != 1:
            raise errors.InvalidArgument(f"'{self.channel}' has {len(self.streams)} streams: give a dict with all of them")
        return {self.streams[0].name: content}

    # Groups of workers

    def ask(
        self,
        group: str,
        content: Content | Mapping[str, Content],
        *,
        metadata: Mapping[str, Value] | None = None,
        deadline: float | None = 10.0,
        attempts: int = 1,
        cut_off: bool = False,
        timeout: float | None = None,
    ) -> Pending:
        """Publishes a frame as ``publish`` does, to everyone, and asks a group about it: one member gets it.

        >>> publisher.ask("detectors", picture).result()["boxes"]
        >>> (await publisher.ask("detectors", picture))["boxes"]

        ``deadline`` is how many seconds to wait for the answer (None: as long as the worker lives); a worker that is late
        is told, or disconnected where ``cut_off``. ``attempts`` is how many workers may have the frame, one after the
        other, when those that have it die. ``timeout`` is for a free slot.
        """
        with self.slot(timeout) as slot:
            self._fill(slot, content)
            if metadata is not None:
                slot.metadata.update(mapping("metadata", metadata))
            return slot.ask(group, deadline=deadline, attempts=attempts, cut_off=cut_off)

    def results(
        self,
        group: str,
        *,
        window: int | None = None,
        capacity: int = 256,
        deadline: float | None = 10.0,
        attempts: int = 1,
        cut_off: bool = False,
    ) -> Results:
        """The results of all frames that a group is given from now on, however they are published: a loop over it, ``for``
        or ``async for``, has one for each. Where ``window`` is given they are in the order of the frames, and at most so
        many wait for an earlier one. Of those that are not read ``capacity`` are kept. A group has one reader. The other
        options are ``ask``'s, for frames that are not asked about by themselves."""
        options = {"window": window or 0, "capacity": capacity}
        return Results(_native.results_open(self, group, options, ask_options(deadline, attempts, cut_off)))

    # Controls of the source

    def offer_controls(self, controls: Sequence[Control]) -> Settings:
        """Offers the controls of the source to other programs (`frameshare control`), in place of any offered before.

        >>> settings = publisher.offer_controls([Control("ExposureTime", "integer", minimum=100, maximum=66_666)])
        >>> for setting in settings:        # in a thread, or between two frames: Settings.next
        ...     camera.set_exposure(setting.value)
        ...     setting.accept()

        What is not taken within 5 seconds is refused. Who may set them says ``control_access``. Keep what this returns: with
        it goes the offer.
        """
        return Settings(_native.settings_offer(self, described_controls(controls)), controls)

    # A camera's own buffers

    def ask_slot(
        self,
        slot: int,
        group: str,
        *,
        deadline: float | None = 10.0,
        attempts: int = 1,
        cut_off: bool = False,
        metadata: Mapping[str, Value] | None = None,
        timestamp: int | None = None,
        clock: str = "monotonic",
        sequence: int | None = None,
        flags: int = 0,
        bytes_used: Mapping[str, int] | None = None,
    ) -> Pending:
        """Publishes a slot that the source has filled, and asks a group about it: ``publish_slot`` and ``ask``."""
        said: dict[str, Any] = {"metadata": metadata, "timestamp": timestamp, "clock": clock, "sequence": sequence, "flags": flags}
        return self._ask_slot(slot, group, ask_options(deadline, attempts, cut_off), bytes_used=bytes_used, **said)

    # All

    def wait_for_subscriber(self, count: int = 1, timeout: float | None = None) -> None:
        """Waits until so many subscribers are there, members of groups among them: what is published after it returns is
        offered to them. ``TimedOut`` when it takes longer.

        >>> threading.Thread(target=detect, args=(Subscriber("camera0"),)).start()
        >>> publisher.wait_for_subscriber()
        """
        whole("count", count)
        try:
            self._wait_for_subscribers(count, timeout)
        except errors.TimedOut as error:
            raise errors.TimedOut(
                f"{count} subscribers of '{self.channel}' were waited for {timeout} s; {len(self.statistics.subscribers)} are there",
                error.code,
            ) from None

    def on_demand(self, start: Callable[[], None], stop: Callable[[], None], *, linger: float = 5.0) -> threading.Thread:
        """Calls ``start`` when the first subscriber comes, and ``stop`` when there has been none for ``linger`` seconds, again and
        again, until the publisher is closed; then ``stop`` once more if the source runs. On a thread of its own, which it returns.

        >>> publisher.on_demand(camera.start, camera.stop)

        Where ``start`` raises, subscribers are told why (``Subscriber.source_trouble``), and it is called again a second later.
        """
        import threading

        def follow() -> None:
            is_running = False
            try:
                while True:
                    self.wait_for_demand()
                    try:
                        start()
                        is_running = True
                    except Exception as error:
                        self.set_source_trouble(f"{type(error).__name__}: {error}")
                        time.sleep(1)
                        continue
                    self.set_source_trouble("")
                    self.wait_for_no_demand(linger)
                    is_running = False
                    stop()
            except errors.FrameShareError:
                pass  # The publisher was closed.
            finally:
                if is_running:
                    stop()

        thread = threading.Thread(target=follow, name="frameshare-demand", daemon=True)
        thread.start()
        return thread

    def _room(self, metadata_capacity: int | None) -> None:
        """What the next generation's frames have room for."""
        if metadata_capacity is None:
            return
        self._set_metadata_capacity(whole("metadata_capacity", metadata_capacity))

    def reconfigure(self, streams: Streams, *, slots: int = 8, metadata_capacity: int | None = None) -> None:
        """Publishes from a new pool from now on. What subscribers hold of the old one stays valid. ``metadata_capacity``
        is the most bytes of metadata in a frame from now on; None leaves it as it is."""
        new, slots = _streams(streams), whole("slots", slots)
        self._room(metadata_capacity)
        self._reconfigure(described(new), slots, None)
        self.streams = new

    def reconfigure_buffers(
        self,
        streams: Streams,
        buffers: Sequence[tuple[int, str, int]],
        *,
        slots: int,
        metadata_capacity: int | None = None,
    ) -> None:
        """Publishes from other buffers of the source's own from now on; ``metadata_capacity`` is as ``reconfigure`` has
        it. Where they are those of an earlier generation, ``held_slots`` says which must wait."""
        new, own, slots = _streams(streams), _buffers(buffers), whole("slots", slots)
        self._room(metadata_capacity)
        self._reconfigure(described(new), slots, own)
        self.streams = new

    @property
    def statistics(self) -> ChannelStatistics:
        """How the channel is doing, and who reads it."""
        result = channel_statistics(self)
        assert result is not None  # an own channel does not end by itself
        return result

    @property
    def groups(self) -> tuple[GroupStatus, ...]:
        """How its groups are doing."""
        return group_statuses(self)

    def close(self, *, revoke: bool = False) -> None:
        """Ends the channel: subscribers get what is queued for them, then the end. Twice does nothing. With ``revoke``,
        frames that are still held or queued are revoked before this returns: for a source whose buffers will be written to
        again."""
        self._close(revoke)

    def __enter__(self) -> Publisher:
        if self._closed:
            raise errors.Released(f"this publisher of '{self.channel}' was closed")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _streams(streams: Streams) -> list[Stream]:
    if not isinstance(streams, Mapping):
        if isinstance(streams, Sequence) and all(isinstance(stream, Stream) for stream in streams):
            return list(streams)
        raise TypeError(f"streams must be a dict, such as {{'main': (640, 480, 'BGR888')}}, or a list of Stream, not {streams!r}")
    result: list[Stream] = []
    for name, value in streams.items():
        if not isinstance(value, Stream):
            if not isinstance(value, (tuple, list)) or not 2 <= len(value) <= 3:
                raise TypeError(f"streams['{name}'] must be (width, height, format) or a Stream, not {value!r}")
            value = Stream.computed(name, *value)
        elif value.name != name:
            raise errors.InvalidArgument(f"the stream under '{name}' is named '{value.name}'")
        result.append(value)
    return result


_MEMORY_NUMBERS = {"memfd": 1, "dma-heap": 2, "udmabuf": 3, "dma-buf": 4}


def _buffers(buffers: Sequence[tuple[int, str, int]]) -> tuple[tuple[int, int, int], ...]:
    """(descriptor, kind of memory, size) of each buffer, as the extension takes them."""
    for _, memory, _ in buffers:
        if memory not in _MEMORY_NUMBERS:
            raise errors.InvalidArgument(f"there is no memory '{memory}'; use {', '.join(_MEMORY_NUMBERS)}")
    return tuple((fd, _MEMORY_NUMBERS[memory], size) for fd, memory, size in buffers)
