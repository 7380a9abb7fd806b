"""Recordings and clips, by the command `frameshare record`."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import stat
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frameshare
from frameshare import Publisher

from conftest import PATIENCE, ended, until


@pytest.fixture
def camera() -> Iterator[Publisher]:
    """A channel that goes on, 100 frames a second."""
    stopped = threading.Event()
    with Publisher("camera", {"main": (64, 48, "R8")}, slots=16) as publisher:

        def publish() -> None:
            for value in range(1_000_000):
                if stopped.wait(0.01):
                    return
                try:
                    publisher.publish(np.full((48, 64), value % 256, np.uint8), timeout=1)
                except frameshare.TimedOut:
                    publisher.count_lost(no_free_slot=1)
                except frameshare.Released:
                    return

        thread = threading.Thread(target=publish)
        thread.start()
        yield publisher
        stopped.set()
        thread.join(PATIENCE)


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], str]:
    """A command of the test's own, which says what a script lets it say."""

    def made(script: str) -> str:
        path = tmp_path / "fake"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return made


START = """echo '{"event":"start","channel":"camera","layout":"","output":"x.mp4"}'"""


# With the real command


def test_a_block_records_and_its_end_makes_the_file_whole(command: str, camera: Publisher, tmp_path: Path) -> None:
    path = tmp_path / "door.mp4"
    with frameshare.record("camera", path, codec="mjpeg", sidecar=True, command=command) as recording:
        assert recording.running and recording.files == ()
        with pytest.raises(frameshare.InvalidArgument, match="runs"):
            recording.result
        with pytest.raises(frameshare.TimedOut):
            recording.wait(0.01)
        until(lambda: delivered(recording) > 20)
    result = recording.result
    assert recording.progress() is None
    assert not recording.running and result == recording.stop() == recording.wait(0)
    (file,) = result.files
    assert file.path == str(path) and file.frames == result.frames > 10 and 0 < file.bytes < path.stat().st_size
    assert len(Path(f"{path}.jsonl").read_text().splitlines()) >= file.frames
    with pytest.raises(frameshare.InvalidArgument, match="on_trigger"):
        recording.trigger()
    # What is there is not overwritten, and the command says so.
    with pytest.raises(frameshare.RecordingFailed, match="door.mp4") as failure:
        frameshare.record("camera", path, codec="mjpeg", command=command)
    assert failure.value.code == 1


def delivered(recording: frameshare.Recording) -> int:
    """The frames that the recorder has so far."""
    progress = recording.progress()
    return 0 if progress is None else progress.delivered


def test_files_come_one_by_one_and_limits_end_it(command: str, camera: Publisher, tmp_path: Path) -> None:
    recording = frameshare.record(
        "camera", tmp_path / "part.avi", codec="mjpeg", keyframe_interval=1, split_time=0.2, frames=60, command=command
    )
    files = list(recording)
    assert len(files) > 1 and sum(file.frames for file in files) == recording.result.frames == 60
    assert list(recording) == files


def test_triggers_make_clips(command: str, camera: Publisher, tmp_path: Path) -> None:
    recording = frameshare.record(
        "camera", tmp_path / "clip.avi", codec="mjpeg", on_trigger=True, pre=1, post=0.1, command=command
    )
    with recording:
        with frameshare.record(
            "camera", tmp_path / "other.avi", codec="mjpeg", on_trigger=True, post=0.1, command=command
        ) as other:
            recording.trigger()
            until(lambda: len(recording.files) == 1)
            assert other.files == ()
            # All recordings of the channel, as `frameshare trigger` does it.
            assert frameshare.trigger("camera", post=0.2) == 2
            until(lambda: len(recording.files) == 2 and len(other.files) == 1)
        assert frameshare.trigger("camera.left") == 0
    assert [Path(file.path).name for file in recording.files] == ["clip-000.avi", "clip-001.avi"]
    assert frameshare.trigger("camera") == 0
    with pytest.raises(frameshare.Released):
        recording.trigger()


def test_tasks_record(command: str, camera: Publisher, tmp_path: Path) -> None:
    async def program() -> None:
        async with await frameshare.record_async("camera", tmp_path / "a.avi", codec="mjpeg", command=command) as recording:
            waiting = asyncio.ensure_future(_awaited(recording))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert recording.running
            while delivered(recording) < 5:
                await asyncio.sleep(0.01)
        files = [file async for file in recording]
        assert len(files) == 1 and (await recording).files == tuple(files)
        with pytest.raises(frameshare.NoSuchChannel):
            await frameshare.record_async("none", tmp_path / "b.avi", command=command)
        with pytest.raises(TypeError, match="colour"):
            await frameshare.record_async("camera", tmp_path / "b.avi", colour="red")  # type: ignore[call-arg]

    asyncio.run(asyncio.wait_for(program(), PATIENCE))


async def _awaited(recording: frameshare.Recording) -> frameshare.RecordingResult:
    return await recording


def test_the_ends_of_a_channel_are_told_apart(command: str, tmp_path: Path) -> None:
    for fails in (False, True):
        publisher = Publisher("ending", {"main": (64, 48, "R8")})
        recording = frameshare.record("ending", tmp_path / f"{fails}.avi", codec="mjpeg", command=command)
        publisher.publish(np.zeros((48, 64), np.uint8))
        if not fails:
            publisher.close()
            assert recording.wait(PATIENCE).frames <= 1
            continue
        publisher.fail("the cable is out")
        with pytest.raises(frameshare.PublisherLost, match="the cable is out"):
            recording.wait(PATIENCE)
    with pytest.raises(frameshare.NoSuchChannel, match="none"):
        frameshare.record("none", tmp_path / "x.avi", command=command)
    with pytest.raises(frameshare.InvalidArgument, match="xyz"):
        frameshare.record("none", tmp_path / "x.xyz", codec="xyz", command=command)


PROGRAM = """
import sys, frameshare
recording = frameshare.record("camera", sys.argv[1], codec="mjpeg", command=sys.argv[2])
print(recording.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_running_when_the_program_is_killed(
    command: str, camera: Publisher, tmp_path: Path, start: Any, by: signal.Signals
) -> None:
    path = tmp_path / "left.avi"
    program = start("-c", PROGRAM, str(path), command, stdin=-1)
    pid = int(program.stdout.readline())
    until(path.exists)
    # The program alone, not its group.
    os.kill(program.pid, by)
    until(lambda: ended(pid))
    assert path.stat().st_size > 0


# Without: what comes of other words and ends


def test_a_forked_child_keeps_no_recording_alive(fake: Callable[[str], str], tmp_path: Path) -> None:
    recording = frameshare.record("camera", "x.mp4", command=fake(f"{START}; cat > /dev/null"))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            recording.wait(0)
        except frameshare.Forked:
            os.write(write, b"refused")
        time.sleep(PATIENCE)
        os._exit(0)
    try:
        assert os.read(read, 100) == b"refused"
        assert recording.stop(PATIENCE).frames == 0
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_recording_that_does_not_stop_can_be_killed(fake: Callable[[str], str]) -> None:
    recording = frameshare.record("camera", "x.mp4", command=fake(f"{START}; exec sleep 1000"))
    with pytest.raises(frameshare.TimedOut):
        recording.stop(0.01)
    assert recording.progress() is None
    recording.kill()
    with pytest.raises(frameshare.RecordingFailed, match="signal 9"):
        recording.wait(PATIENCE)


def test_a_recording_that_is_dropped_ends(fake: Callable[[str], str]) -> None:
    gc.disable()
    try:
        recording = frameshare.record("camera", "x.mp4", command=fake(f"{START}; cat > /dev/null"))
        pid, child = recording.pid, weakref.ref(recording._child)
        del recording
        until(lambda: ended(pid) and child() is None)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("echo 'frameshare: no such file' >&2; exit 1", frameshare.RecordingFailed, "^no such file$"),
        ("echo 'Error: bad option\nUsage: frameshare ...' >&2; exit 64", frameshare.InvalidArgument, "^bad option$"),
        ("exit 3", frameshare.NoSuchChannel, "exit code 3"),
        ("kill -9 $$", frameshare.RecordingFailed, "signal 9"),
        ("exit 0", frameshare.RecordingFailed, "before it began"),
        ("echo not json; echo 7; exit 0", frameshare.RecordingFailed, "before it began"),
    ],
)
def test_failures_have_the_command_s_own_words(
    fake: Callable[[str], str], script: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        frameshare.record("camera", "x.mp4", command=fake(script))


def test_a_failure_after_the_start_is_the_wait_s(fake: Callable[[str], str]) -> None:
    recording = frameshare.record("camera", "x.mp4", command=fake(f"{START}; echo later; echo 'frameshare: disk full' >&2; exit 1"))
    for _ in range(2):
        with pytest.raises(frameshare.RecordingFailed, match="^disk full$"):
            recording.wait(PATIENCE)
    with pytest.raises(ZeroDivisionError), frameshare.record("camera", "x.mp4", command=fake(f"{START}; cat; exit 1")):
        1 / 0  # what the block raises counts


def test_events_of_another_form_are_passed_over(fake: Callable[[str], str]) -> None:
    odd = [
        "7", "[]", "{}", '["event"]', '{"event":[]}', '{"event":"file"}', '{"event":"file","path":1,"frames":1,"bytes":1,"seconds":1}',
        '{"event":"file","path":"a","frames":1,"bytes":1,"seconds":null}', '{"event":"end","lost":7}', '{"event":"end","frames":"x"}',
        '{"event":"file","path":"a","frames":1,"bytes":1,"seconds":1' + "0" * 400 + "}", "[" * 100_000,
    ]  # fmt: skip
    good = '{"event":"file","path":"a","frames":2,"bytes":3,"seconds":4}', '{"event":"end","skipped":5,"lost":{"policy":6}}'
    lines = "\n".join((*odd, *good))
    recording = frameshare.record("camera", "x.mp4", command=fake(f"{START}\ncat << 'end'\n{lines}\nend"))
    result = recording.wait(PATIENCE)
    assert result.files == (frameshare.RecordedFile("a", 2, 3, 4.0),)
    assert (result.frames, result.skipped, result.damaged, result.lost) == (2, 5, 0, frameshare.Loss(0, 0, 6))


def test_a_recorder_that_is_not_heard_any_more_ends_and_nobody_waits_for_ever(
    fake: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = frameshare.record("camera", "x.mp4", command=fake(f"{START}; read line; echo; exec sleep 1000"))

    def fail(*_: Any) -> None:
        raise MemoryError

    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    monkeypatch.setattr(type(recording._child), "_hear", fail)
    with pytest.raises(frameshare.RecordingFailed, match="signal 9"):
        recording.stop(PATIENCE)
    until(lambda: len(told) == 1)
    assert told[0].exc_type is MemoryError


def test_an_interrupt_before_the_recorder_is_heard_leaves_none(
    fake: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        frameshare.record("camera", "x.mp4", command=fake(f"{START}; exec sleep 1000"))
    assert started[0].returncode == -signal.SIGKILL


def test_a_trigger_reaches_all_that_hear_it_though_one_does_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"camera.{number}-0.trigger" for number in range(1, 4)]
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as free,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        free.bind(str(folder / names[1]))
        # The last one's recorder ends between the look into the folder and the look at its socket.
        monkeypatch.setattr(os, "listdir", lambda _: names)
        assert frameshare.trigger("camera") == 1 and len(free.recv(100)) == 8
        full.bind(str(folder / names[0]))
        with pytest.raises(BlockingIOError):
            while True:
                sender.sendto(b"x", socket.MSG_DONTWAIT, str(folder / names[0]))
        with pytest.raises(BlockingIOError):
            frameshare.trigger("camera")
        assert len(free.recv(100, socket.MSG_DONTWAIT)) == 8
        monkeypatch.undo()


def test_options_are_the_command_s(fake: Callable[[str], str], tmp_path: Path) -> None:
    words = tmp_path / "words"
    with frameshare.record(
        "-odd", "-x.mp4", codec="h264", quality=80, split_time=1e-3, split_size=1 << 40, seconds=float("inf"), overwrite=True,
        low_latency=True, directory=tmp_path, command=fake(f'for w; do echo "$w"; done > {words}; env | grep ^FRAMESHARE_DIR >> {words}; {START}; cat'),
    ):
        pass
    assert words.read_text().splitlines() == [
        "record", "--json", "--stop-at-eof", "--output=-x.mp4", "--codec=h264", "--quality=80", "--split-time=0.001000000s",
        f"--split-size={1 << 40}", "--seconds=900000000.000000000s", "--low-latency", "--overwrite", "--", "-odd",
        f"FRAMESHARE_DIR={tmp_path}",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": "10"}, {"frames": 1.5}, {"split_size": "1M"}, {"codec": 264}, {"rate": None, "pre": "5s"}, {"quality": b"5"},
    ],
)
def test_arguments_of_wrong_types_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=list(wrong)[-1]):
        frameshare.record("camera", "x.mp4", command="/bin/false", **wrong)


@pytest.mark.parametrize(
    "wrong", [{"seconds": -1}, {"seconds": float("nan")}, {"frames": 0}, {"rate": 0}, {"codec": "a\0b"}, {"bit_rate": 10**13}]
)
def test_impossible_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(frameshare.InvalidArgument, match=next(iter(wrong))):
        frameshare.record("camera", "x.mp4", command="/bin/false", **wrong)


def test_a_missing_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(frameshare.NoCommand, match="no-such-command"):
        frameshare.record("camera", "x.mp4", command=tmp_path / "no-such-command")
    monkeypatch.setattr("sysconfig.get_path", lambda name, scheme="": str(tmp_path))
    monkeypatch.setattr("frameshare._command.__file__", str(tmp_path / "x"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(frameshare.NoCommand, match="install"):
        frameshare.record("camera", "x.mp4")
    # Beside the running Python it is found.
    (tmp_path / "frameshare").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "frameshare").chmod(stat.S_IRWXU)
    with pytest.raises(frameshare.NoSuchChannel):
        frameshare.record("camera", "x.mp4")


def test_both_ways_to_record_have_the_same_options() -> None:
    import inspect

    from frameshare.recording import RecordOptions

    parameters = inspect.signature(frameshare.record).parameters
    assert set(RecordOptions.__annotations__) == set(parameters) - {"channel", "path"}
