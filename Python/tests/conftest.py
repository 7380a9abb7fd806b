"""Each test has a channel folder of its own, and its processes are waited for."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_libcamera
import pytest

import frameshare
from frameshare._command import find_command

# Seconds to wait for what is to happen. An emulated processor needs more: there a child imports numpy for half a minute.
PATIENCE = float(os.environ.get("FRAMESHARE_PATIENCE", "60"))

# A shell's jobs in the background ignore Ctrl-C, and so would all programs that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
EXAMPLES = Path(os.environ.get("FRAMESHARE_EXAMPLES", Path(__file__).parents[2] / "Examples" / "Python"))
README = Path(os.environ.get("FRAMESHARE_README", Path(__file__).parents[1] / "README.md"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A socket's path has 107 bytes at most.
    short = Path(f"/tmp/fs-py-{os.getpid()}-{time.monotonic_ns()}")
    short.mkdir()
    monkeypatch.setenv("FRAMESHARE_DIR", str(short))
    yield short
    for left in short.iterdir():
        left.unlink()
    short.rmdir()


@pytest.fixture
def camera() -> fake_libcamera.Camera:
    """The camera below `picam2`, as new."""
    return fake_libcamera.reset()


@pytest.fixture
def picam2(camera: fake_libcamera.Camera) -> Iterator[Any]:
    """The whole real picamera2. For modules that have put the fake under it (`fake_libcamera.install_or_skip`)."""
    from picamera2 import Picamera2

    with contextlib.closing(Picamera2()) as picam2:
        yield picam2


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python programs; ends those that a failed test has left, with the processes that they have started."""
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, **options,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        kill(process)
        # A child that is left has the pipes too, and would be waited for.
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="session")
def command() -> str:
    """The real command: FRAMESHARE_COMMAND's, the installed one, or what a build of this checkout has left."""
    built = [Path(__file__).parents[2] / ".build" / kind / "frameshare" for kind in ("release", "debug")]
    candidates = [os.environ.get("FRAMESHARE_COMMAND"), shutil.which("frameshare"), *map(str, built)]
    try:
        candidates.insert(1, find_command())
    except frameshare.NoCommand:
        pass
    older = ""
    for path in candidates:
        if path and os.access(path, os.X_OK):
            version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip()
            if version == frameshare.__version__:
                return path
            older = f"; {path} is of version {version}, the package of {frameshare.__version__}"
    pytest.skip(f"there is no command 'frameshare': build it (swift build), or name it in FRAMESHARE_COMMAND{older}")


def kill(process: subprocess.Popen[str]) -> None:
    """Ends a program that `start` has started, and all processes of its own."""
    # The group is there as long as one of its processes is, also where the program itself has ended.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def ended(pid: int) -> bool:
    """Whether a process has ended, also where nobody has waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, for as long as a loaded machine may need."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def is_published(channel: str) -> bool:
    try:
        frameshare.Monitor(channel).close()
        return True
    except frameshare.FrameShareError:
        return False
