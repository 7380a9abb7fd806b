"""Makes picamera2 and libcamera's binding, as Scripts/fetch-picamera2 fetches them, importable in this process."""

import ctypes
import importlib
import os
import sys
from pathlib import Path
from unittest import mock


def load() -> None:
    """Raises ImportError where they were not fetched."""
    folder = os.environ.get("FRAMESHARE_PICAMERA2")
    if folder is None:
        raise ImportError("picamera2 and libcamera's binding were not fetched (Scripts/fetch-picamera2)")
    # Debian's folder for this kind of processor: x86_64-linux-gnu, aarch64-linux-gnu.
    libraries = next((Path(folder) / "root/usr/lib").glob("*-linux-gnu"))
    # Whichever needs another is tried again once that is there.
    waiting = sorted(libraries.glob("lib*.so.*"))
    while waiting:
        left = [path for path in waiting if not _loads(path)]
        if len(left) == len(waiting):
            break
        waiting = left
    for path in (libraries / "python3.11/site-packages", Path(folder) / "root/usr/lib/python3/dist-packages", Path(folder) / "packages"):
        if str(path) not in sys.path:
            sys.path.append(str(path))
    # Of the display's library, which is in no distribution's packages, only previews make use.
    sys.modules.setdefault("pykms", mock.MagicMock())
    sys.modules.setdefault("OpenEXR", mock.MagicMock())
    importlib.import_module("picamera2")


def _loads(path: Path) -> bool:
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        return True
    except OSError:
        return False
