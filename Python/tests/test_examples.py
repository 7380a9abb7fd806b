"""The examples run, and the README's lines run as they are written."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

import frameshare
from conftest import EXAMPLES, PATIENCE, README, ended, is_published, kill, until


def publish(start, frames=200, rate=60):
    process = start(str(EXAMPLES / "publish.py"), "camera0", str(frames), str(rate))
    until(lambda: is_published("camera0"))
    return process


def finished(process):
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output


def test_what_a_program_has_started_is_ended_also_when_the_program_itself_has(start):
    program = start("-c", "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)")
    child = int(program.stdout.readline())
    program.wait(PATIENCE)
    kill(program)
    until(lambda: ended(child))
    kill(program)


def test_workers_share_the_frames_that_are_asked_about(start):
    asking = start(str(EXAMPLES / "ask.py"), "camera0", "1000000")
    until(lambda: is_published("camera0"))
    for _ in range(2):
        start(str(EXAMPLES / "worker.py"), "camera0")
    assert asking.stdout.readline() == "asking: start workers\n"
    answers, workers, end = 0, set(), time.monotonic() + PATIENCE
    while answers < 40 or len(workers) < 2:
        line = asking.stdout.readline()
        said = re.fullmatch(r"frame \d+, grey (\d+): worker (\d+) says \[(.*), (.*)\]\n", line)
        assert said and (float(said[3]), float(said[4])) == (float(said[1]), 0.0), line
        answers += 1
        workers.add(said[2])
        assert time.monotonic() < end, "the second worker had nothing"


def test_motion_beside_a_recorder(start, tmp_path):
    publisher = publish(start, frames=300)
    motion = start(str(EXAMPLES / "motion.py"), "camera0", str(tmp_path / "film.npy"))
    output = finished(motion)
    finished(publisher)
    recorded = int(re.search(r"recorded (\d+) frames", output)[1])
    assert recorded > 10 and int(re.search(r"motion in (\d+) frames", output)[1]) > 0
    assert np.load(tmp_path / "film.npy").shape == (recorded, 60, 80, 3)


def test_asyncio_reader(start):
    publish(start, frames=1_000_000)
    reader = start(str(EXAMPLES / "asyncio_reader.py"), "camera0", env={**os.environ, "PYTHONUNBUFFERED": "1"})
    missing = {"the loop goes on", "exposed 8000 us"}
    while missing:
        line = reader.stdout.readline()
        assert line, reader.communicate()
        missing = {words for words in missing if words not in line}


def test_several_gunicorn_workers_serve_one_camera(start):
    publish(start, frames=10000)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = start(
        "-m", "gunicorn", "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}", "mjpeg_server:app",
        cwd=EXAMPLES, env={**os.environ, "CHANNEL": "camera0", "PYTHONDONTWRITEBYTECODE": "1"},
    )

    def answers() -> bool:
        try:
            return b"<img" in urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
        except OSError:
            assert server.poll() is None, server.communicate()
            return False

    until(answers)
    viewers = [urllib.request.urlopen(f"http://127.0.0.1:{port}/stream", timeout=PATIENCE) for _ in range(3)]
    for viewer in viewers:
        data = b""
        while data.count(b"\xff\xd8\xff") < 3:
            data += viewer.read(1000)
    for viewer in viewers:
        viewer.close()
    server.terminate()
    server.communicate(timeout=PATIENCE)


STAGE = EXAMPLES.parents[1] / ".build-capi" / "stage"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds an example in C with the library that the wheel is made of: one built earlier may have had another header."""
    if not STAGE.exists() or shutil.which("gcc") is None:
        pytest.skip("Examples/C is not built: that needs gcc, and the library that Scripts/build-c-library builds")
    folder = tmp_path_factory.mktemp("c")

    def build(name):
        program, source = folder / name, EXAMPLES.parent / "C" / f"{name}.c"
        if not program.exists():
            options = [f"-I{STAGE}/include", f"-L{STAGE}/lib", f"-Wl,-rpath,{STAGE}/lib"]
            subprocess.run(["gcc", source, *options, "-lframeshare", "-o", program], check=True)
        return str(program)

    return build


def test_the_c_program_watches_what_python_publishes(start, built):
    publish(start, frames=10000)
    output = subprocess.run([built("watch"), "camera0", "5"], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert len(re.findall(r"^frame \d+: 320x240, mean \d+\.\d, lost \d+$", output, re.M)) == 5, output


@pytest.mark.parametrize("language", ["python", "c"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_a_program_stops_in_order_when_it_is_told_to(start, request, language, number):
    if language == "c":
        program = [request.getfixturevalue("built")("stop")]
    else:
        program = [sys.executable, str(EXAMPLES / "stop.py")]
    publisher = publish(start, frames=1_000_000)
    process = subprocess.Popen([*program, "camera0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        with frameshare.Monitor("camera0") as monitor:
            until(lambda: any(person.delivered > 0 for person in monitor.statistics().subscribers))
            process.send_signal(number)
            output, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, errors
            assert re.search(r"^stopped after [1-9]\d* frames$", output, re.M), output
            # Gone, and the channel goes on.
            until(lambda: not monitor.statistics().subscribers)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert publisher.poll() is None


RECIPES = EXAMPLES.parents[1] / "Documentation" / "Recipes.md"
SNIPPETS = [text for text in re.findall(r"```python\n(.*?)```", RECIPES.read_text(), re.S) if "# Examples/" not in text]


@pytest.mark.parametrize("text", SNIPPETS, ids=range(1, len(SNIPPETS) + 1))
def test_the_recipes_run_as_written(start, tmp_path, text):
    with frameshare.Publisher("camera0", {"main": (160, 120, "BGR888")}) as publisher:
        process = start("-c", text, cwd=tmp_path, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        # Until it is over, or has said something: then the channel's end is to end it.
        while process.poll() is None and not select.select([process.stdout], [], [], 0.01)[0]:
            with publisher.slot() as slot:
                slot["main"].array[:] = 7
    finished(process)


def test_the_readmes_lines_run_as_written(start):
    reading, publishing = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    # As written it is over before a reader has started: here it goes on.
    publisher = start("-c", publishing.replace("range(100)", "__import__('itertools').cycle(range(100))"))
    until(lambda: is_published("camera0"))
    reader = start("-c", reading, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    line = reader.stdout.readline()
    assert re.match(r"\d+ \d+\.\d+ \{'ExposureTime': 8000\}", line), line or reader.communicate()
    publisher.terminate()
    publisher.wait(PATIENCE)
    finished(start("-c", publishing))
