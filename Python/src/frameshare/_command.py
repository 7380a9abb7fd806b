"""The command ``frameshare``: where it is, and what its exit codes mean."""

from __future__ import annotations

import os

from . import errors

#: The command's exit codes: wrong arguments, a channel that is not there or was lost, and an end by Ctrl-C.
USAGE, CHANNEL_LOST, INTERRUPTED = 64, 3, 130


def find_command() -> str:
    """The command's path: in the package, beside the running Python, or on the PATH. ``NoCommand`` where there is none."""
    import shutil
    import sysconfig

    here = os.path.dirname(__file__)
    # Where pip puts it: in an environment, or for a user.
    for folder in (os.path.join(here, "bin"), sysconfig.get_path("scripts"), sysconfig.get_path("scripts", "posix_user")):
        path = os.path.join(folder, "frameshare")
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    found = shutil.which("frameshare")
    if found is None:
        raise errors.NoCommand(
            "the command 'frameshare' is neither beside this Python nor on the PATH. A released wheel has it, and so has the Debian "
            "package; in a checkout of FrameShare, 'make install' installs it. Or name it: command='/path/to/frameshare'"
        )
    return found


def message_of(output: str) -> str:
    """What the command says of its failure, without its own name and the lines that show how it is used."""
    lines: list[str] = []
    for line in output.strip().splitlines():
        if line.startswith("Usage:"):
            break
        for prefix in ("frameshare: ", "Error: "):
            line = line.removeprefix(prefix)
        lines.append(line)
    return "\n".join(lines)
