"""The folder of a pool's channel, which goes with the pool, whatever end that comes to."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "frameshare-pool-"
# Younger folders are left alone: theirs may not be locked yet.
_AGE = 60.0


class Folder:
    """Locked while its process lives. Left ones are removed by the workers, or else when the next pool is made."""

    def __init__(self) -> None:
        # A socket's path has 107 bytes at most.
        parent = tempfile.gettempdir() if len(tempfile.gettempdir()) < 70 else "/tmp"
        _sweep(Path(parent))
        self.path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        self._fd = _locked(self.path)

    def remove(self) -> None:
        remove(self.path)
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def remove(path: str) -> None:
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
            remove(str(path))
            os.close(fd)
