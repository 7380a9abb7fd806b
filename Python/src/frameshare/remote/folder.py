"""The folder of a pool's channel, which goes with the pool, whatever end that comes to."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .._waiting import interrupts_held

_PREFIX = "frameshare-pool-"
# A socket's path has so many bytes at most.
_LONGEST_PATH = 107
# Younger folders are left alone: theirs may not be locked yet.
_AGE = 60.0


class Folder:
    """Locked while its process lives. A guard removes it where that process is killed; where the guard is killed too, the
    next pool does."""

    def __init__(self) -> None:
        name = _PREFIX + secrets.token_hex(6)
        parent = tempfile.gettempdir()
        if len(os.fsencode(os.path.join(parent, name, "pool.sock"))) > _LONGEST_PATH:
            parent = "/tmp"
        _sweep(Path(parent))
        self.path = os.path.join(parent, name)
        # First the guard: there is no moment in which the folder is there and nobody would remove it.
        self._guard = _Guard(self.path)
        try:
            os.mkdir(self.path, 0o700)
        except BaseException:
            self._guard.dismiss()
            raise
        self._fd = _locked(self.path)

    def remove(self) -> None:
        _remove(self.path)
        self._guard.dismiss()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class _Guard:
    """A shell that removes a folder when the process that started it has ended, however that ends.

    It sees the end of a pipe. The workers can't do it: for a while they import what may fail, or take minutes.
    """

    # A service manager sends SIGTERM to all processes of a service: the guard then still has its work to do.
    _SCRIPT = 'trap "" HUP INT TERM; read -r nothing; rm -rf -- "$1"'

    def __init__(self, path: str) -> None:
        read, self._write = os.pipe()
        _pipes.add(self._write)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            with interrupts_held():
                # Held in the shell too, until it ignores them.
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
                # In a session of its own: what is sent to the program's group of processes does not end it.
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", self._SCRIPT, "frameshare-pool", path], stdin=read, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
                )
        except OSError:
            pass  # no shell: the next pool removes the folder
        except BaseException:
            self.dismiss()
            raise
        finally:
            os.close(read)

    def dismiss(self) -> None:
        """Ends the guard, with the folder removed or never made."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._write in _pipes:
            _pipes.remove(self._write)
            os.close(self._write)


#: The ends of pipes that guards look at.
_pipes: set[int] = set()


def _leave_to_parent() -> None:
    """A fork of the program is not what its guards look at."""
    while _pipes:
        os.close(_pipes.pop())


os.register_at_fork(after_in_child=_leave_to_parent)


def _remove(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _locked(path: str | Path) -> int | None:
    """A descriptor with the folder's lock; None where another has that, or the folder is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd
    except OSError:
        os.close(fd)
        return None


def _sweep(parent: Path) -> None:
    """Removes folders of this user's whose processes were killed."""
    for path in parent.glob(_PREFIX + "*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        if status.st_uid != os.getuid() or time.time() - status.st_mtime < _AGE:
            continue
        fd = _locked(path)
        if fd is not None:
            _remove(str(path))
            os.close(fd)
