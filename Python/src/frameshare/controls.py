"""A source's controls: exposure, gain, a test pattern. Offered by its publisher, set by other programs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, AsyncIterator, Iterator, Mapping, Sequence, Union

from . import _native, errors
from ._arguments import bounded, encoded
from ._readable import Readable
from .metadata import Rectangle, Size

_KINDS: tuple[str, ...] = ("boolean", "integer", "number", "text", "menu", "bitmask", "button", "rectangle", "size", "other")

#: What a control can be set to. Between programs it is text: "true", "8000", "1.5,2.0", "x,y/WIDTHxHEIGHT", "WIDTHxHEIGHT".
ControlValue = Union[bool, int, float, str, Rectangle, Size, Sequence[Union[bool, int, float, str]]]


@dataclass(frozen=True)
class Control:
    """A control of a channel's source. ``kind`` is "boolean", "integer", "number", "text", "menu", "bitmask", "button",
    "rectangle", "size" or "other". What a program reads of a channel is text, in the source's own spelling.

    >>> Control("ExposureTime", "integer", minimum=100, maximum=66_666, standard=20_000)
    """

    name: str
    kind: str = "text"
    #: The least and the largest value, the one that it has where nobody set it, and the present one; None: not known.
    minimum: ControlValue | None = None
    maximum: ControlValue | None = None
    standard: ControlValue | None = None
    value: ControlValue | None = None
    #: A menu's entries: what chooses one, and the source's word for it.
    items: Mapping[str, str] | None = None
    #: The source's own words, where they are others than ``name``.
    label: str = ""
    read_only: bool = False
    #: It has no effect now, usually since an automatic is on.
    inactive: bool = False

    def parse(self, value: str) -> ControlValue:
        """What a text stands for, by ``kind``: "8000" of an integer is 8000, "1.5,2" of a number (1.5, 2.0).
        ``InvalidArgument`` for what the control can't be set to."""
        try:
            parsed = _parse(self.kind, value if self.kind == "text" else value.strip())
        except ValueError:
            raise errors.InvalidArgument(f"'{value}' is no value of '{self.name}', a control of kind {self.kind}") from None
        for part in parsed if self.kind in ("integer", "number") and isinstance(parsed, tuple) else (parsed,):
            for limit, is_beyond in ((self.minimum, _less), (self.maximum, _more)):
                if is_beyond(part, limit):
                    raise errors.InvalidArgument(
                        f"'{value}' is out of the range of '{self.name}', {spelled(self.minimum)} to {spelled(self.maximum)}"
                    )
        return parsed


def _less(value: Any, limit: Any) -> bool:
    return isinstance(value, (int, float)) and isinstance(limit, (int, float)) and value < limit


def _more(value: Any, limit: Any) -> bool:
    return isinstance(value, (int, float)) and isinstance(limit, (int, float)) and value > limit


def _parse(kind: str, value: str) -> ControlValue:
    if kind == "boolean":
        known = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
        if value.lower() not in known:
            raise ValueError
        return known[value.lower()]
    if kind == "bitmask":
        return int(value, 0)
    if kind in ("integer", "number"):
        convert = int if kind == "integer" else _number
        parts = [convert(part) for part in value.split(",")]
        return tuple(parts) if len(parts) > 1 else parts[0]
    if kind == "rectangle":
        place, _, size = value.partition("/")
        return Rectangle(*_pair(place, ","), *_size(size))
    if kind == "size":
        return Size(*_size(value))
    return value


def _number(value: str) -> float:
    number = float(value)
    if number - number != 0:  # infinite, or none at all
        raise ValueError
    return number


def _pair(value: str, separator: str) -> tuple[int, int]:
    first, _, second = value.partition(separator)
    return int(first), int(second)


def _size(value: str) -> tuple[int, int]:
    width, height = _pair(value, "x")
    if width < 0 or height < 0:
        raise ValueError
    return width, height


def spelled(value: ControlValue | None) -> str:
    """A value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Rectangle):
        return f"{value.x},{value.y}/{value.width}x{value.height}"
    if isinstance(value, Size):
        return f"{value.width}x{value.height}"
    if isinstance(value, (list, tuple)):
        return ",".join(spelled(part) for part in value)
    return str(value)


def described(controls: Sequence[Control]) -> list[Any]:
    """Controls as the extension takes them: members and items, whose texts are bytes."""
    result: list[tuple[dict[str, Any], list[tuple[bytes, bytes]]]] = []
    for control in controls:
        if control.kind not in _KINDS:
            raise errors.InvalidArgument(f"there is no kind of control '{control.kind}'; use {', '.join(_KINDS)}")
        members: dict[str, Any] = {"kind": _KINDS.index(control.kind), "name": encoded(control.name)}
        members["label"] = encoded(control.label)
        members["read_only"], members["inactive"] = bool(control.read_only), bool(control.inactive)
        for name, value in (("minimum", control.minimum), ("maximum", control.maximum), ("standard", control.standard)):
            members[name] = encoded(spelled(value))
        if control.value is not None:
            members["value"] = encoded(spelled(control.value))
        items = [(encoded(value), encoded(name)) for value, name in (control.items or {}).items()]
        result.append((members, items))
    return result


def listed(monitor: _native.Handle) -> dict[str, Control]:
    """The controls of a monitor's channel, by name."""
    return {c["name"]: _control(c) for c in _native.monitor_controls(monitor)}


def _control(c: Mapping[str, Any]) -> Control:
    return Control(
        name=c["name"],
        kind=_KINDS[int(c["kind"])] if c["kind"] < len(_KINDS) else "other",
        minimum=c["minimum"] or None,
        maximum=c["maximum"] or None,
        standard=c["standard"] or None,
        value=c["value"],
        items=c["items"],
        label=c["label"] or "",
        read_only=bool(c["read_only"]),
        inactive=bool(c["inactive"]),
    )


def set_control(monitor: _native.Handle, name: str, value: ControlValue) -> str:
    """Sets a control of a monitor's channel; the value that it has then."""
    return _native.monitor_set_control(monitor, name, spelled(value))


class Setting:
    """A control that somebody asks to set. Say what became of it: ``accept`` or ``refuse``."""

    def __init__(self, taken: tuple[_native.Handle, str, str], controls: Mapping[str, Control]) -> None:
        self._handle: _native.Handle | None
        #: ``text`` is the value as it was asked for.
        self._handle, self.name, self.text = taken
        control = controls.get(self.name)
        try:
            #: What ``text`` stands for, by the kind and range of the control: ``Control.parse``.
            self.value: ControlValue = self.text if control is None else control.parse(self.text)
        except errors.InvalidArgument as error:
            self.refuse(str(error))
            raise

    def accept(self, now: ControlValue | None = None) -> None:
        """It is set; ``now`` is the value that the control has, if another than was asked for."""
        self._end(_native.setting_accept, self.text if now is None else spelled(now))

    def refuse(self, reason: str) -> None:
        """It is not set, and why."""
        self._end(_native.setting_refuse, reason)

    def _end(self, call: Any, words: str) -> None:
        if self._handle is None:
            raise errors.Released(f"it was said already what became of '{self.name}'")
        call(self._handle, words)
        self._handle = None

    def __repr__(self) -> str:
        return f"<frameshare.Setting {self.name}={self.text}>"


class Settings:
    """What others ask a publisher's source to set: a loop over it, ``for`` or ``async for``, has one after the other until
    the channel ends. See ``Publisher.offer_controls``."""

    def __init__(self, handle: Any, controls: Sequence[Control]) -> None:
        self._handle: Any = handle
        self._controls = {control.name: control for control in controls}
        self._readable = Readable(clear=True)

    def _open(self) -> Any:
        if self._handle is None:
            raise errors.Released("these settings were closed")
        return self._handle

    def next(self, timeout: float | None = None) -> Setting | None:
        """The next setting; waits for it. None when the channel has ended, ``TimedOut`` when none came in time. What the
        control can't be set to, by its kind and range, is refused and passed over."""
        handle = self._open()
        end = None if timeout is None else time.monotonic() + bounded("timeout", timeout)
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            taken = _native.settings_next(handle, left)
            if taken is None:
                return None
            try:
                return Setting(taken, self._controls)
            except errors.InvalidArgument:
                continue

    def __iter__(self) -> Iterator[Setting]:
        while (setting := self.next()) is not None:
            yield setting

    def fileno(self) -> int:
        """For event loops: an eventfd (read 8 bytes to clear it), readable when ``next(0)`` should be called, until that
        raises ``TimedOut``."""
        return _native.settings_poll_fd(self._open())

    async def anext(self) -> Setting | None:
        """As ``next``, for asyncio."""
        while True:
            try:
                return self.next(0)
            except errors.TimedOut:
                await self._readable.wait(self.fileno())

    async def __aiter__(self) -> AsyncIterator[Setting]:
        while (setting := await self.anext()) is not None:
            yield setting

    def update(self, controls: Sequence[Control]) -> None:
        """Lists these from now on. The value of one that was set is kept by itself."""
        _native.settings_update(self._open(), described(controls))
        self._controls = {control.name: control for control in controls}

    def close(self) -> None:
        """Ends it: the source has no controls from now on. Twice does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._readable.end()
            handle.close()

    def __enter__(self) -> Settings:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()
