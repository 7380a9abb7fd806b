"""Publishing frames."""

from __future__ import annotations

import os
import threading
from typing import Any, Mapping, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import errors
from ._library import NO_FRAME, check, encoded, ffi, lib, nanoseconds, struct, whole
from ._waiting import wait
from .controls import Control, Settings, c_controls
from .groups import Pending, Results, ask_options
from .images import Image, Lease, image_of
from .metadata import MetadataWriter, Value
from .statistics import ChannelStatistics, GroupStatus, channel_statistics, group_statuses
from .streams import Stream, c_streams

#: Those that have keywords of other names, or none.
_OTHER_NUMBERS = ("struct_size", "allowed_user_count", "copy_slots")
#: The options of C that are plain numbers: each is a keyword, also those that ``Publisher``'s signature does not name.
_NUMBERS = {
    name
    for name, member in ffi.typeof("struct frameshare_publisher_options").fields
    if member.type.cname == "uint32_t" and name not in _OTHER_NUMBERS and "reserved" not in name
}
_CONTROL_ACCESS = ("owner", "nobody", "everyone")
_CLOCKS = {"monotonic": 1, "boottime": 2, "realtime": 3, "unknown": 0}

#: What `publish` takes for a stream: an array shaped like ``Image.array``, one for each plane, or a compressed frame's bytes.
Content = Union[npt.NDArray[Any], Sequence[npt.NDArray[Any]], bytes, bytearray, memoryview]
Streams = Union[Mapping[str, Union[Stream, tuple[int, int, str]]], Sequence[Stream]]


class Publisher:
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
        self.channel = channel
        self.streams = _streams(streams)
        self._handle: Any = None
        self._writer = threading.local()
        options, keep = struct("publisher_options"), []

        def kept(value: str | os.PathLike[str]) -> Any:
            keep.append(ffi.new("char[]", encoded(value)))
            return keep[-1]

        options.mode = whole("mode", mode, most=0o777)
        if group is not None:
            options.group = kept(group)
        if allowed_users is not None:
            users = ffi.new("uint32_t[]", [whole("allowed_users", user) for user in allowed_users] or [0])
            keep.append(users)
            options.allowed_users, options.allowed_user_count = users, len(allowed_users)
        options.metadata_capacity = whole("metadata_capacity", metadata_capacity)
        options.source_need = whole("source_need", source_need)
        options.stall_limit = -1 if stall_limit is None else max(0, nanoseconds(stall_limit))
        options.lease_limit = 0 if lease_limit is None else max(1, nanoseconds(lease_limit))
        if not 0 <= copies < 2**32 or not 0 <= (copy_floor or 0) < 2**32:
            raise errors.InvalidArgument(f"copies={copies} and copy_floor={copy_floor} are not possible; ask for 1 up")
        options.copy_slots, options.copy_floor = copies, copy_floor or 0
        if control_access not in _CONTROL_ACCESS:
            raise errors.InvalidArgument(f"there is no control_access '{control_access}'; use owner, nobody or everyone")
        options.control_access = _CONTROL_ACCESS.index(control_access)
        options.keep_misfits = keep_misfits
        for name, number in numbers.items():
            if name not in _NUMBERS:
                raise TypeError(f"Publisher() got an unexpected keyword argument {name!r}")
            setattr(options, name, whole(name, number))
        options.source_name, options.memory = kept(source_name), kept(memory)
        if directory is not None:
            options.directory = kept(directory)
        pointer, c = ffi.new("frameshare_publisher **"), c_streams(self.streams)
        if not 0 <= slots < 2**32:
            raise errors.LayoutError(f"a pool of {slots} slots is not possible; ask for 2 to 1024")
        if buffers is None:
            result = lib.frameshare_publisher_open(encoded(channel), c, len(self.streams), slots, options, pointer)
        else:
            own = _buffers(buffers)
            result = lib.frameshare_publisher_open_buffers(
                encoded(channel), c, len(self.streams), slots, own, len(buffers), options, pointer
            )
        check(result)
        self._handle = pointer[0]

    def _open(self) -> Any:
        if self._handle is None:
            raise errors.Released(f"this publisher of '{self.channel}' was closed")
        return self._handle

    # Frames of the library's own pool

    def slot(self, timeout: float | None = None) -> Slot:
        """A free slot to fill in place; waits for it. ``TimedOut`` when it takes longer.

        >>> with publisher.slot() as slot:
        ...     slot["main"].array[:] = picture
        ...     slot.metadata["ExposureTime"] = 8000

        It is published at the end of the block, or given back where the block raises.
        """
        handle, pointer = self._open(), ffi.new("frameshare_slot **")
        wait(lambda part: int(lib.frameshare_publisher_next_slot(handle, part, pointer)), timeout)
        return Slot(self, pointer[0])

    def try_slot(self) -> Slot | None:
        """A free slot if there is one now. A source that can't wait says so by ``count_lost``."""
        pointer = ffi.new("frameshare_slot **")
        if check(lib.frameshare_publisher_try_next_slot(self._open(), pointer)) == NO_FRAME:
            return None
        return Slot(self, pointer[0])

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
            slot.metadata.update(metadata or {})
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
            slot.metadata.update(metadata or {})
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
        c, pointer = struct("results_options"), ffi.new("frameshare_results **")
        options = ask_options(deadline, attempts, cut_off)
        c.window, c.capacity, c.ask = whole("window", window or 0), whole("capacity", capacity), options
        check(lib.frameshare_publisher_results(self._open(), encoded(group), c, pointer))
        return Results(pointer[0])

    def wait_for_group(self, group: str, timeout: float | None = None) -> None:
        """Waits until a member of a group can take a frame without losing another: the brake for a source that can wait."""
        handle = self._open()
        wait(lambda part: int(lib.frameshare_publisher_wait_for_group(handle, encoded(group), part)), timeout)

    def drain(self, timeout: float | None = None) -> None:
        """Waits until groups have answered all that they were asked, or failed: before ``close``."""
        handle = self._open()
        wait(lambda part: int(lib.frameshare_publisher_drain(handle, part, ffi.NULL)), timeout)

    # Controls of the source

    def offer_controls(self, controls: Sequence[Control]) -> Settings:
        """Offers the controls of the source to other programs (`frameshare control`), in place of any offered before.

        >>> settings = publisher.offer_controls([Control("ExposureTime", "integer", minimum=100, maximum=66_666)])
        >>> for setting in settings:        # in a thread, or settings.next(0) between two frames
        ...     camera.set_exposure(setting.value)
        ...     setting.accept()

        What is not taken within 5 seconds is refused. Who may set them says ``control_access``. Keep what this returns: with
        it goes the offer.
        """
        pointer, (c, _keep) = ffi.new("frameshare_settings **"), c_controls(controls)
        check(lib.frameshare_publisher_offer_controls(self._open(), c, len(controls), pointer))
        return Settings(pointer[0], controls)

    # A camera's own buffers

    def take_free(self) -> list[int]:
        """Slots that are free, by number: the source's from now on, until published or given back."""
        slots, count = ffi.new("uint32_t[1024]"), ffi.new("size_t *")
        check(lib.frameshare_publisher_take_free(self._open(), slots, 1024, count))
        return [slots[i] for i in range(count[0])]

    def publish_slot(
        self,
        slot: int,
        *,
        metadata: Mapping[str, Value] | None = None,
        timestamp: int | None = None,
        clock: str = "monotonic",
        sequence: int | None = None,
        flags: int = 0,
        bytes_used: Mapping[str, int] | None = None,
    ) -> int:
        """Publishes a slot that the source has filled. Never waits. ``bytes_used`` is for compressed streams."""
        used = {name: [count] for name, count in (bytes_used or {}).items()}
        description, number = self._description(timestamp, clock, sequence, flags, used), ffi.new("uint64_t *")
        handle = self._metadata(metadata)
        check(lib.frameshare_publisher_publish(self._open(), whole("slot", slot), description, handle, number))
        return int(number[0])

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
        used = {name: [count] for name, count in (bytes_used or {}).items()}
        description, pointer = self._description(timestamp, clock, sequence, flags, used), ffi.new("frameshare_pending **")
        options, handle = ask_options(deadline, attempts, cut_off), self._metadata(metadata)
        slot = whole("slot", slot)
        check(lib.frameshare_publisher_ask(self._open(), slot, encoded(group), description, handle, options, pointer))
        return Pending(pointer[0])

    def give_back(self, slot: int) -> None:
        """Takes a slot back from the source, with no frame in it."""
        check(lib.frameshare_publisher_give_back(self._open(), whole("slot", slot)))

    def free_slot_fd(self) -> int:
        """An eventfd, readable (read 8 bytes to clear it) when a slot may have come free after ``take_free`` left the
        source with no more than ``source_need``."""
        fd = ffi.new("int *")
        check(lib.frameshare_publisher_free_slot_fd(self._open(), fd))
        return int(fd[0])

    @property
    def generation(self) -> int:
        """Counts reconfigurations, from 1."""
        number = ffi.new("uint32_t *")
        check(lib.frameshare_publisher_generation(self._open(), number))
        return int(number[0])

    def held_slots(self, generation: int) -> frozenset[int]:
        """The slots of the present or an earlier generation whose frames subscribers still hold or are offered. A source
        that fills an earlier generation's buffers again must leave these alone."""
        slots, count = ffi.new("uint32_t[1024]"), ffi.new("size_t *")
        check(lib.frameshare_publisher_held_slots(self._open(), generation, slots, 1024, count))
        return frozenset(slots[0 : count[0]])

    def wait_for_room(self, timeout: float | None = None) -> None:
        """Waits until each subscriber that asked for every frame can take one more, or its user has no time left
        (``stall_limit``): at once where that is 0."""
        check(lib.frameshare_publisher_wait_for_room(self._open(), nanoseconds(timeout)))

    def count_lost(self, *, source: int = 0, no_free_slot: int = 0) -> None:
        """Counts frames that were lost before they could be published."""
        most = 2**64 - 1
        source, no_free_slot = whole("source", source, most=most), whole("no_free_slot", no_free_slot, most=most)
        check(lib.frameshare_publisher_count_lost(self._open(), source, no_free_slot))

    # All

    def wait_for_subscriber(self, count: int = 1, timeout: float | None = None) -> None:
        """Waits until so many subscribers are there, members of groups among them: what is published after it returns is
        offered to them. ``TimedOut`` when it takes longer.

        >>> threading.Thread(target=detect, args=(Subscriber("camera0"),)).start()
        >>> publisher.wait_for_subscriber()
        """
        handle = self._open()
        if not 0 <= count < 2**32:
            raise errors.InvalidArgument(f"{count} subscribers can't be waited for; ask for 1 to 120")
        try:
            wait(lambda part: int(lib.frameshare_publisher_wait_for_subscribers(handle, count, part)), timeout)
        except errors.TimedOut as error:
            raise errors.TimedOut(
                f"{count} subscribers of '{self.channel}' were waited for {timeout} s; {len(self.statistics.subscribers)} are there",
                error.code,
            ) from None

    def _room(self, metadata_capacity: int | None) -> None:
        """What the next generation's frames have room for."""
        if metadata_capacity is None:
            return
        if not 0 <= metadata_capacity < 2**32:
            raise errors.InvalidArgument(f"metadata_capacity={metadata_capacity} is not possible; ask for 0 to 16 MiB")
        check(lib.frameshare_publisher_set_metadata_capacity(self._open(), metadata_capacity))

    def reconfigure(self, streams: Streams, *, slots: int = 8, metadata_capacity: int | None = None) -> None:
        """Publishes from a new pool from now on. What subscribers hold of the old one stays valid. ``metadata_capacity``
        is the most bytes of metadata in a frame from now on; None leaves it as it is."""
        new, slots = _streams(streams), whole("slots", slots)
        self._room(metadata_capacity)
        check(lib.frameshare_publisher_reconfigure(self._open(), c_streams(new), len(new), slots))
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
        check(
            lib.frameshare_publisher_reconfigure_buffers(
                self._open(), c_streams(new), len(new), slots, own, len(buffers)
            )
        )
        self.streams = new

    @property
    def statistics(self) -> ChannelStatistics:
        """How the channel is doing, and who reads it."""
        result = channel_statistics(lib.frameshare_publisher_get_statistics, self._open())
        assert result is not None  # an own channel does not end by itself
        return result

    @property
    def groups(self) -> tuple[GroupStatus, ...]:
        """How its groups are doing."""
        return group_statuses(lib.frameshare_publisher_get_groups, self._open())

    def close(self, *, revoke: bool = False) -> None:
        """Ends the channel: subscribers get what is queued for them, then the end. Twice does nothing. With ``revoke``,
        frames that are still held or queued are revoked before this returns: for a source whose buffers will be written to
        again."""
        handle, self._handle = self._handle, None
        if handle is not None:
            (lib.frameshare_publisher_close_revoking if revoke else lib.frameshare_publisher_close)(handle)

    def fail(self, reason: str) -> None:
        """Ends the channel since its source has failed: subscribers get ``SourceFailed``."""
        check(lib.frameshare_publisher_fail(self._open(), encoded(reason)))
        self._handle = None

    def __enter__(self) -> Publisher:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()

    def __repr__(self) -> str:
        return f"<frameshare.Publisher of '{self.channel}'{', closed' if self._handle is None else ''}>"

    def _metadata(self, values: Mapping[str, Value] | None) -> Any:
        # One for each thread: no thread changes what another is publishing.
        if not hasattr(self._writer, "metadata"):
            self._writer.metadata = MetadataWriter()
        return self._writer.metadata.fill(values)

    def _description(
        self,
        timestamp: int | None,
        clock: str,
        sequence: int | None,
        flags: int,
        used: Mapping[str, Sequence[int]],
    ) -> Any:
        c = struct("description")
        if clock not in _CLOCKS:
            raise errors.InvalidArgument(f"there is no clock '{clock}'; use {', '.join(_CLOCKS)}")
        c.flags, c.clock = whole("flags", flags), _CLOCKS[clock]
        if timestamp is not None:
            c.has_timestamp, c.timestamp = 1, whole("timestamp", timestamp, -(2**63), 2**63 - 1)
        if sequence is not None:
            c.has_sequence, c.sequence = 1, whole("sequence", sequence, most=2**64 - 1)
        for index, stream in enumerate(self.streams):
            for plane, count in enumerate(used.get(stream.name, ())):
                c.has_bytes_used, c.bytes_used[index][plane] = 1, whole("bytes_used", count, most=2**64 - 1)
        return c


class Slot:
    """A free slot, to be filled in place. ``slot["main"].array`` can be written until it is published; not after that,
    though numpy does not stop you."""

    def __init__(self, publisher: Publisher, handle: Any) -> None:
        self._publisher = publisher
        self._lease: Lease | None = Lease(handle, lib.frameshare_slot_discard)
        self._used: dict[str, list[int]] = {}
        #: What goes with the frame.
        self.metadata: dict[str, Value] = {}
        #: When it was captured, in nanoseconds on ``clock``; None: now.
        self.timestamp: int | None = None
        self.clock = "monotonic"
        #: The source's own count; None: the publisher's.
        self.sequence: int | None = None
        self.flags = 0

    def _held(self) -> Lease:
        if self._lease is None:
            raise errors.Released("this slot was published or given back")
        return self._lease

    def __getitem__(self, stream: str) -> Image:
        return image_of(self._held(), stream, writable=True)

    def fill(self, stream: str, content: Content) -> None:
        """Copies an image into the slot."""
        image = self[stream]
        if isinstance(content, (bytes, bytearray, memoryview)):
            data = np.frombuffer(content, np.uint8)
            room = image.planes[0]
            if not image.format.is_compressed or data.size > room.size:
                raise errors.LayoutError(f"{data.size} bytes don't fit '{stream}', which is {image!r}")
            room[: data.size] = data
            self._used[stream] = [data.size]
            return
        if isinstance(content, np.ndarray):
            _copy(content, image.array, stream)
            return
        planes = image.planes
        if len(planes) != len(content):
            raise errors.LayoutError(f"'{stream}' has {len(planes)} planes, {len(content)} were given")
        for source, plane in zip(content, planes):
            _copy(np.asarray(source), plane, stream)

    def set_bytes_used(self, stream: str, count: int) -> None:
        """Says how many bytes of a compressed image hold data: what was written to it in place."""
        self._used[stream] = [count]

    def publish(self) -> int:
        """Publishes it and returns the frame's number. The slot can't be used any more."""
        publisher, lease = self._publisher, self._held()
        description = publisher._description(self.timestamp, self.clock, self.sequence, self.flags, self._used)
        metadata, number = publisher._metadata(self.metadata), ffi.new("uint64_t *")
        self._let_go()
        check(lib.frameshare_slot_publish(lease.handle, description, metadata, number))
        return int(number[0])

    def ask(self, group: str, *, deadline: float | None = 10.0, attempts: int = 1, cut_off: bool = False) -> Pending:
        """Publishes it and asks a group about it, as ``Publisher.ask`` does."""
        publisher, lease = self._publisher, self._held()
        description = publisher._description(self.timestamp, self.clock, self.sequence, self.flags, self._used)
        metadata, pointer = publisher._metadata(self.metadata), ffi.new("frameshare_pending **")
        options = ask_options(deadline, attempts, cut_off)
        self._let_go()
        check(lib.frameshare_slot_ask(lease.handle, encoded(group), description, metadata, options, pointer))
        return Pending(pointer[0])

    def discard(self) -> None:
        """Gives it back unpublished."""
        lease = self._lease
        self._let_go()
        if lease is not None:
            lib.frameshare_slot_discard(lease.handle)

    def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.void_images()

    def __enter__(self) -> Slot:
        self._held()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._lease is None:
            return
        if kind is None:
            self.publish()
        else:
            self.discard()


def _copy(source: npt.NDArray[Any], target: npt.NDArray[Any], stream: str) -> None:
    if source.shape != target.shape or source.dtype != target.dtype:
        raise errors.LayoutError(
            f"'{stream}' takes {target.dtype} of shape {target.shape}, not {source.dtype} of shape {source.shape}"
        )
    np.copyto(target, source)


def _streams(streams: Streams) -> list[Stream]:
    if not isinstance(streams, Mapping):
        return list(streams)
    result = []
    for name, value in streams.items():
        if not isinstance(value, Stream):
            value = Stream.computed(name, *value)
        elif value.name != name:
            raise errors.InvalidArgument(f"the stream under '{name}' is named '{value.name}'")
        result.append(value)
    return result


_MEMORY_NUMBERS = {"memfd": 1, "dma-heap": 2, "udmabuf": 3, "dma-buf": 4}


def _buffers(buffers: Sequence[tuple[int, str, int]]) -> Any:
    """(descriptor, kind of memory, size) of each buffer, as C has them."""
    result = ffi.new("struct frameshare_buffer[]", max(1, len(buffers)))
    for c, (fd, memory, size) in zip(result, buffers):
        if memory not in _MEMORY_NUMBERS:
            raise errors.InvalidArgument(f"there is no memory '{memory}'; use {', '.join(_MEMORY_NUMBERS)}")
        c.fd, c.memory = whole("a buffer's descriptor", fd, -(2**31), 2**31 - 1), _MEMORY_NUMBERS[memory]
        c.size = whole("a buffer's size", size, most=2**64 - 1)
    return result
