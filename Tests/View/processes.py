"""The command's processes: publishers, and the server. Each is ended with its test, and only it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

# Where the package was built, for programs that only its tests need.
BUILD = Path(os.environ.get("FRAMESHARE_BUILD", ".build/debug"))
COMMAND = os.environ.get("FRAMESHARE_COMMAND", ".build/debug/frameshare")
PATIENCE = 60.0


def until(what: str, condition: Callable[[], object]) -> object:
    """Waits for a condition, for as long as a loaded machine may need; returns what made it true."""
    end = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < end, f"it did not happen in time: {what}"
        time.sleep(0.05)
    return result


class Command:
    """A running 'frameshare', or another program: what it has printed so far, and its end."""

    def __init__(self, folder: Path, *arguments: str, program: str = COMMAND) -> None:
        self.arguments = arguments
        self.output = ""
        # Some of the programs end with their standard input.
        self.process = subprocess.Popen(
            [program, *arguments], env={**os.environ, "FRAMESHARE_DIR": str(folder)}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line

    def wait_for(self, pattern: str) -> re.Match[str]:
        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.output)
            assert found or self.process.poll() is None, f"{self.arguments} has ended: {self.output}"
            return found

        found = until(f"{self.arguments} prints {pattern}: {self.output}", look)
        assert isinstance(found, re.Match)
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()


class Processes:
    """A channel folder, and all that runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[Command] = []

    def start(self, *arguments: str, program: str = COMMAND) -> Command:
        command = Command(self.folder, *arguments, program=program)
        self.running.append(command)
        return command

    def publish(self, channel: str = "camera0", size: str = "640x360", rate: int = 20, *more: str) -> Command:
        publisher = self.start("publish", "--channel", channel, "--size", size, "--rate", str(rate), *more)
        publisher.wait_for("Ctrl-C ends it")
        return publisher

    def publish_with_controls(self, channel: str) -> Command:
        """A publisher that has controls, as the test pattern has none: Tests/TestPeer/PeerControls.swift."""
        peer = str(BUILD / "frameshare-test-peer")
        publisher = self.start("publish", str(self.folder), channel, "rate=5", "controls", program=peer)
        publisher.wait_for("publishing")
        return publisher

    def hold(self, channel: str, name: str) -> Command:
        """A subscriber that holds the two frames that it may hold."""
        peer = str(BUILD / "frameshare-test-peer")
        asked = ("policy=queue:1", "budget=2", "behaviour=hold", "count=2")
        holder = self.start("subscribe", str(self.folder), channel, f"name={name}", *asked, program=peer)
        holder.wait_for("holding 2")
        return holder

    def view(self, *more: str, listen: str = "127.0.0.1:0") -> tuple[Command, str]:
        """The server, and its address without a slash at the end."""
        server = self.start("view", "--listen", listen, *more)
        return server, server.wait_for(r"http://[^\s/]+").group()

    def end(self) -> None:
        for command in reversed(self.running):
            command.end()
