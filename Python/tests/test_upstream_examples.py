"""picamera2's own examples of remote processes: as they are, and with the import changed. What they print, save and draw is the
same.

They are in picamera2's repository alone, of which Scripts/fetch-picamera2 takes them where it can be reached, or else
FRAMESHARE_PICAMERA2_EXAMPLES is a folder with them.
"""

import os
import re
import shutil
from collections import Counter
from pathlib import Path

import fake_libcamera
import pytest
from conftest import PATIENCE, kill, until

fake_libcamera.install_or_skip()

import PIL.Image

TESTS = Path(__file__).parent
EXAMPLES = Path(
    os.environ.get("FRAMESHARE_PICAMERA2_EXAMPLES") or Path(os.environ["FRAMESHARE_PICAMERA2"]) / "repository" / "examples"
)
if not (EXAMPLES / "remote_save_image.py").exists():
    pytest.skip(f"picamera2's examples are not here: no {EXAMPLES}/remote_*.py", allow_module_level=True)

# Tags of the time at which an image was saved.
TIMES = {306, 36867, 36868}


def changed(source):
    """The program with the names of picamera2's remote module taken from frameshare's, and nothing else."""
    (names,) = re.findall(r"^from picamera2 import (.*)$", source, re.M)
    ours = [name for name in names.split(", ") if name in ("Pool", "Process", "RemoteMappedArray")]
    theirs = [name for name in names.split(", ") if name not in ours]
    lines = ([f"from picamera2 import {', '.join(theirs)}"] if theirs else []) + [f"from frameshare.remote import {', '.join(ours)}"]
    return source.replace(f"from picamera2 import {names}", "\n".join(lines))


@pytest.fixture
def started(start, tmp_path):
    """Starts an example, upstream's or with its import changed, in a folder of its own."""

    def run(name, module):
        folder = tmp_path / module
        site = folder / "site"
        site.mkdir(parents=True)
        (site / "sitecustomize.py").write_text("import upstream_examples\n")
        source = (EXAMPLES / name).read_text()
        (folder / name).write_text(source if module == "picamera2" else changed(source))
        environment = {
            **os.environ, "PYTHONPATH": f"{site}:{TESTS}", "PYTHONUNBUFFERED": "1", "DRAWN": str(folder / "drawn"),
        }
        return start(name, cwd=folder, env=environment), folder

    return run


@pytest.fixture
def both(started):
    """Runs an example to its end both ways: output and folder of each."""

    def run(name):
        results = []
        for module in ("picamera2", "frameshare"):
            program, folder = started(name, module)
            output, errors = program.communicate(timeout=4 * PATIENCE)
            assert program.returncode == 0, errors
            shutil.rmtree(folder / "site")
            results.append((output, folder))
        return results

    return run


def test_remote_processing_example(both):
    (theirs, _), (ours, _) = both("remote_processing_example.py")

    def told(output):
        # Processes write at the same time: their lines may be one behind the other.
        return Counter(re.findall(r"Recieved request|Sum of array: \d+|Processed request", output))

    def results(output):
        return re.findall(r"Recieved result \d+: \d+", output)

    assert told(ours) == told(theirs) and set(told(ours).values()) == {100}
    assert results(ours) == results(theirs) and len(results(ours)) == 100


def test_remote_processing_pool(both):
    for output, _ in both("remote_processing_pool.py"):
        closed, counts = output.splitlines()
        assert closed == "Pool Closed"
        # Which process has how many is not promised.
        assert sum(map(int, re.findall(r"\d+: (\d+)", counts))) == 100


def saved(path):
    image = PIL.Image.open(path)
    exif = image.getexif()
    tags = {**exif, **exif.get_ifd(0x8769)}
    return image.format, image.size, image.mode, image.tobytes(), str({tag: tags[tag] for tag in sorted(set(tags) - TIMES)})


def test_remote_save_image(both):
    results = []
    for _, folder in both("remote_save_image.py"):
        images, raw = sorted(folder.glob("images_*.jpg")), sorted(folder.glob("images_*.dng"))
        assert len(images) == len(raw) == 25 and [i.stem for i in images] == [r.stem for r in raw]
        results.append(({saved(path) for path in images}, {path.read_bytes() for path in raw}))
    theirs, ours = results
    assert ours == theirs and len(ours[0]) == len(ours[1]) == 1


def test_remote_motion_detection(started):
    """It goes on for ever. With NumPy 2 its own arithmetic with bytes stops the camera at the fifth arrow, either way."""
    drawn = []
    for module in ("picamera2", "frameshare"):
        program, folder = started("remote_motion_detection.py", module)
        path = folder / "drawn"
        until(lambda program=program, path=path: program.poll() is not None or path.exists() and path.read_text().count("\n") >= 4)
        assert program.poll() is None, program.communicate()
        kill(program)  # picamera2's worker would live on
        drawn.append(path.read_text().splitlines()[:4])
    assert drawn[0] == drawn[1]
