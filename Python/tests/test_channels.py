"""The channels of a folder: listed, and watched while publishers come, go and are killed."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

import frameshare
from frameshare import Publisher

from conftest import PATIENCE, is_published, kill, until

STREAMS = {"main": (16, 8, "R8")}
PROGRAM = """
import sys, frameshare
publisher = frameshare.Publisher("killed", {"main": (16, 8, "R8")})
print("there", flush=True)
sys.stdin.read()
"""


def told(change: frameshare.ChannelChange) -> tuple[str, str, str]:
    return change.kind, str(change.channel), change.channel.state


def test_a_channel_is_its_name_and_knows_who_may_connect() -> None:
    assert frameshare.channels() == []
    with Publisher("b", STREAMS, mode=0o660), Publisher("a", STREAMS):
        first, second = frameshare.channels()
        assert (first, second) == ("a", "b") and isinstance(first, str)
        assert first.live and first.mode == 0o600 and second.mode == 0o660
        assert frameshare.Monitor(first).statistics() is not None
        for other in (copy.copy(second), pickle.loads(pickle.dumps(second))):
            assert (other, other.state, other.mode, other.uid, other.gid) == ("b", "live", 0o660, second.uid, second.gid)


def test_a_killed_publisher_s_channel_is_left_behind(start: Any, folder: Path) -> None:
    process = start("-c", PROGRAM, stdin=-1)
    assert process.stdout.readline() == "there\n"
    with frameshare.watch_channels() as watch:
        assert told(watch.next(PATIENCE)) == ("appeared", "killed", "live")
        kill(process)
        assert told(watch.next(PATIENCE)) == ("changed", "killed", "left behind")
        assert [(str(channel), channel.live) for channel in frameshare.channels()] == [("killed", False)]
        with Publisher("killed", STREAMS):
            assert told(watch.next(PATIENCE)) == ("vanished", "killed", "left behind")
            assert told(watch.next(PATIENCE)) == ("appeared", "killed", "live")
        assert told(watch.next(PATIENCE)) == ("vanished", "killed", "live")


def test_a_loop_over_changes_ends_when_the_watch_is_closed(tmp_path: Path) -> None:
    watch = frameshare.watch_channels(tmp_path / "later")
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.extend(watch))
    thread.start()
    with Publisher("late", STREAMS, directory=tmp_path / "later"):
        until(lambda: len(seen) == 1)
    until(lambda: len(seen) == 2)
    watch.close()
    watch.close()
    thread.join(PATIENCE)
    assert not thread.is_alive() and [change.kind for change in seen] == ["appeared", "vanished"]
    for call in (watch.next, watch.fileno):
        with pytest.raises(frameshare.Released):
            call()


def test_tasks_hear_of_changes_and_are_cancelled() -> None:
    async def program() -> None:
        with frameshare.watch_channels() as watch:
            waiting = asyncio.ensure_future(watch.anext())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            publisher = Publisher("a", STREAMS)
            kinds = []
            async for change in watch:
                kinds.append(change.kind)
                if change.kind == "vanished":
                    break
                publisher.close()
            assert kinds == ["appeared", "vanished"]

    asyncio.run(asyncio.wait_for(program(), PATIENCE))


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(frameshare.FrameShareError, match="can't be used"):
        frameshare.channels(tmp_path / "file")
    with frameshare.watch_channels() as watch:
        with pytest.raises(frameshare.TimedOut):
            watch.next(0.01)
        with pytest.raises(TypeError, match="timeout"):
            watch.next("1")  # type: ignore[arg-type]
    assert not is_published("a")
