"""Daemons that contestants need: private to one run, and gone after it."""

import os
import stat
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Daemon:
    environment = {}

    def __init__(self, run, cell, pool):
        self.run = run
        self.process = None
        self.start(cell, pool)

    def wait_until(self, ready, what):
        limit = time.monotonic() + 15
        while not ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{what} ended: {self.run.said(what)}")
            if time.monotonic() > limit:
                raise RuntimeError(f"{what} is not ready after 15 s")
            time.sleep(0.005)

    def clean(self):
        """After its end, also if that was not orderly."""


class RouDi(Daemon):
    """iceoryx's daemon, with one pool of as many frames as the others have. There can be one on a machine."""

    segments = ["/dev/shm/iceoryx_mgmt"]

    def start(self, cell, pool):
        user = os.popen("id -gn").read().strip()
        self.segments = self.segments + [f"/dev/shm/{user}"]
        held = [path for path in self.segments if os.path.exists(path)]
        if held:
            self.segments = []
            raise RuntimeError(f"{held[0]} exists: another iox-roudi runs, or one died; end it, or remove the file")
        config = self.run.path("roudi.toml")
        with open(config, "w") as file:
            file.write(
                "[general]\nversion = 1\n[[segment]]\n[[segment.mempool]]\n"
                f"size = {(cell.size + 63) // 64 * 64}\ncount = {pool}\n"
            )
        self.process = self.run.start("iox-roudi", ["iox-roudi", "-c", config, "-m", "off", "-l", "error"], daemon=True)
        self.wait_until(lambda: "ready for clients" in self.run.said("iox-roudi"), "iox-roudi")

    def clean(self):
        # RouDi removes them itself unless it was killed.
        for path in self.segments:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass


class PipeWire(Daemon):
    def start(self, cell, pool):
        folder = self.run.folder
        self.environment = {"XDG_RUNTIME_DIR": folder, "PIPEWIRE_RUNTIME_DIR": folder}
        config = os.path.join(HERE, "Peers", "pipewire", "daemon.conf")
        self.process = self.run.start("pipewire", ["pipewire", "-c", config], self.environment, daemon=True)
        socket = os.path.join(folder, "pipewire-0")
        self.wait_until(lambda: os.path.exists(socket) and stat.S_ISSOCK(os.stat(socket).st_mode), "pipewire")
