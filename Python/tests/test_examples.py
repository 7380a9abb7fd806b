"""The examples run, and the README's lines run as they are written."""

import json
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
from pathlib import Path

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


#: Readers of a channel of moving squares that end by themselves, with what each says.
READERS = {
    "read.py": (["5"], r"^frame \d+: \(240, 320, 3\), mean \d+\.\d, lost \d+$"),
    "read_every_frame.py": (["30"], r"^30 frames in order, \d+ missing$"),
    "follow.py": (["10"], r"^10 frames over 1 connections$"),
    "hold_frames.py": ([], r"^frames \[\d+, \d+, \d+\]: [1-9]\d* bytes have changed$"),
    "crop.py": (["5"], r"^frame \d+: mean \d+\.\d$"),
    "after_moment.py": ([], r"^frame \d+ was captured \d+ us after the moment$"),
    "watch_statistics.py": (["2"], r"^  recorder: \d+ delivered, \d+ passed over, \d+ held$"),
    "save_picture.py": (["picture.png"], r"^frame \d+ is in picture\.png$"),
}


def test_readers_say_what_they_read(start, tmp_path):
    publish(start, frames=1_000_000)
    # One that is there to be listed, for as long as the others run.
    with frameshare.Subscriber("camera0", name="recorder"):
        running = {name: start(str(EXAMPLES / name), "camera0", *more, cwd=tmp_path) for name, (more, _) in READERS.items()}
        running["two_cameras.py"] = start(str(EXAMPLES / "two_cameras.py"), "camera0", "camera0", "5")
        running["list_channels.py"] = start(str(EXAMPLES / "list_channels.py"))
        patterns = {name: pattern for name, (_, pattern) in READERS.items()}
        patterns |= {"two_cameras.py": "^5 pairs$", "list_channels.py": r"^camera0: moving square, \d+ frames$"}
        for name, process in running.items():
            output = finished(process)
            assert re.search(patterns[name], output, re.M), (name, output)
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"


def test_an_event_loop_with_frames_and_input(start):
    publish(start, frames=1_000_000)
    loop = start(str(EXAMPLES / "event_loop.py"), "camera0", stdin=subprocess.PIPE)
    assert re.match(r"the first frame has number \d+", loop.stdout.readline()), loop.communicate()
    loop.stdin.close()
    loop.stdin = None
    assert re.match(r"[1-9]\d* frames until the input ended", finished(loop))


def test_two_streams_and_controls(start):
    start(str(EXAMPLES / "publish_two_streams.py"), "two", "1000000")
    start(str(EXAMPLES / "offer_controls.py"), "lamp", "1000000")
    until(lambda: is_published("two") and is_published("lamp"))
    planes = start(str(EXAMPLES / "read_planes.py"), "two", "3")
    lores = start(str(EXAMPLES / "read_one_stream.py"), "two", "3")
    setting = start(str(EXAMPLES / "set_control.py"), "lamp")
    assert re.search(r"^frame \d+: means of Y, U, V \[\d+\.0, 110\.0, 120\.0\]$", finished(planes), re.M)
    assert re.search(r"^frame \d+: 160x120, grey \d+$", finished(lores), re.M)
    output = finished(setting)
    assert "Brightness: 0 to 255, now 64" in output and "Brightness is 200 now" in output
    with frameshare.Subscriber("lamp") as lamp:
        until(lambda: (lamp.next(timeout=PATIENCE)["main"].array == 200).all())


def test_an_overlay_shows_what_a_worker_says(start):
    shown = start(str(EXAMPLES / "overlay_boxes.py"), "shown", "30")
    until(lambda: is_published("shown"))
    start(str(EXAMPLES / "worker.py"), "shown")
    assert finished(shown).splitlines()[-1] == "30 of 30 frames have the right answer"


def test_copies_go_on_until_the_channel_ends(start):
    with frameshare.Publisher("camera0", {"main": (320, 240, "R8")}, stall_limit=None) as publisher:
        copies = start(str(EXAMPLES / "copy_frames.py"), "camera0")
        until(lambda: is_published("camera0-copy"))
        for _ in range(3):
            publisher.publish(bytes(320 * 240), timeout=PATIENCE)
    assert re.search(r"^[1-3] frames copied, 0 left out", finished(copies), re.M)


@pytest.mark.parametrize("language", ["python", "c"])
def test_a_watch_hears_of_channels(start, request, language):
    if language == "c":
        watch = subprocess.Popen([request.getfixturevalue("built")("watch_channels")], stdout=subprocess.PIPE, text=True)
    else:
        watch = start(str(EXAMPLES / "watch_channels.py"))
    try:
        publisher = publish(start, frames=1_000_000)
        assert re.match("camera0 has appeared", watch.stdout.readline())
        kill(publisher)
        assert re.match("camera0 has changed: left", watch.stdout.readline())
        publish(start, frames=5).wait(PATIENCE)
        words = [watch.stdout.readline().split(":")[0].strip() for _ in range(3)]
        assert words == ["camera0 has vanished", "camera0 has appeared", "camera0 has vanished"]
    finally:
        watch.kill()
        watch.wait(PATIENCE)


def test_clips_begin_before_the_event(start, tmp_path, command):
    with frameshare.Publisher("camera0", {"main": (64, 48, "R8")}) as publisher:
        recorder = start(
            str(EXAMPLES / "record_clips.py"), "camera0", str(tmp_path / "clip.mp4"),
            env={**os.environ, "PATH": f"{Path(command).parent}:{os.environ['PATH']}"},
        )
        assert recorder.stdout.readline() == "looking for changes in camera0\n"
        publisher.wait_for_subscriber(2, PATIENCE)
        for value in (10, 10, 10, 10, 200, 200):
            publisher.publish(np.full((48, 64), value, np.uint8))
            time.sleep(0.05)  # the reader takes the newest frame
    assert re.search(r"clip-000\.mp4: [1-9] frames", finished(recorder))


def test_a_recording(start, command, tmp_path):
    publish(start, frames=1_000_000)
    environment = {**os.environ, "PATH": f"{Path(command).parent}:{os.environ['PATH']}"}
    output = finished(start(str(EXAMPLES / "record.py"), "camera0", "film.mp4", "1", cwd=tmp_path, env=environment))
    assert re.search(r"^[1-9]\d* frames recorded, \d+ lost$", output, re.M), output
    assert (tmp_path / "film.mp4").stat().st_size > 1000


def test_frames_that_change_their_size(start):
    output = finished(start(str(EXAMPLES / "change_size.py")))
    assert output == "generation 1 has 320x240\ngeneration 2 has 640x480\n"


#: OpenCV without windows, as the tests have it: what is shown is counted instead. The third picture presses a key.
WITHOUT_A_SCREEN = """
import cv2, runpy, sys
shown = []
cv2.imshow = lambda name, picture: shown.append((name, picture.shape, picture.dtype.name))
cv2.waitKey = lambda delay: 27 if len(shown) == 3 else -1
cv2.destroyAllWindows = lambda: print(shown)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_opencv_is_handed_pictures_to_show(start):
    """No window is drawn here: the wheel of OpenCV that the tests have is the one without windows."""
    publish(start, frames=1_000_000)
    output = finished(start("-c", WITHOUT_A_SCREEN, str(EXAMPLES / "opencv_window.py"), "camera0"))
    assert output == f"{[('camera0', (240, 320, 3), 'uint8')] * 3}\n"


def test_a_model_of_pytorch_sees_the_frames(start):
    pytest.importorskip("torch", reason="PyTorch is not installed: a wheel of 900 MB")
    publish(start, frames=1_000_000)
    output = finished(start(str(EXAMPLES / "torch_detector.py"), "camera0", "5"))
    assert len(re.findall(r"^frame \d+: \d\.\d{4} on (?:cpu|cuda)$", output, re.M)) == 5, output


def test_the_notebooks_cells_run_in_their_order(start):
    """In Python itself: Jupyter is not installed for the tests."""
    publish(start, frames=1_000_000)
    notebook = json.loads((EXAMPLES / "camera.ipynb").read_text())
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["language"]) == (4, "python")
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    finished(start("-c", "\n".join([*cells, "assert picture.shape == (240, 320, 3) and 'ExposureTime' in metadata"])))


def test_the_picamera2_program_shares_its_camera(start, tmp_path):
    site, tests = tmp_path / "site", Path(__file__).parent
    site.mkdir()
    (site / "sitecustomize.py").write_text("import fake_libcamera\nfake_libcamera.install()\n")
    environment = {**os.environ, "PYTHONPATH": f"{site}:{tests}:{os.environ.get('PYTHONPATH', '')}"}
    # Not in this process: what picamera2 loads would stay for the tests after this one.
    found = start("-c", "from picamera2 import Picamera2", env=environment)
    _, errors = found.communicate(timeout=PATIENCE)
    if found.returncode != 0:
        pytest.skip(f"the real picamera2 is not here: {errors.strip().splitlines()[-1]}")
    program = start(str(EXAMPLES / "picamera2_publish.py"), "pi", "2", env=environment)
    assert program.stdout.readline() == "sharing pi\n", program.communicate()
    with frameshare.Subscriber("pi", wait_for_channel=PATIENCE) as camera:
        frame = camera.next(timeout=PATIENCE)
        assert {"main", "lores"} <= set(frame.streams) and (frame["lores"].width, frame["lores"].height) == (320, 240)
        frame.release()
    assert finished(program).startswith("exposure ")


def test_every_example_is_run():
    """By a test of this folder: what is new here needs one."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in tests and path.stem != "mjpeg_server"] == []


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


def test_python_reads_what_the_c_program_publishes(start, built):
    publisher = subprocess.Popen([built("publish"), "camera0", "1000000"])
    try:
        until(lambda: is_published("camera0"))
        output = finished(start(str(EXAMPLES / "read.py"), "camera0", "3"))
    finally:
        publisher.kill()
        publisher.wait(PATIENCE)
    assert len(re.findall(r"^frame \d+: \(480, 640\), mean 68\.\d, lost \d+$", output, re.M)) == 3, output


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


DOCUMENTS = EXAMPLES.parents[1] / "Documentation"
SNIPPETS = {
    f"{page.stem}-{number}": text
    for page in [DOCUMENTS / "Recipes.md", *sorted((DOCUMENTS / "Python").glob("*.md"))]
    for number, text in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S), 1)
    # The examples have tests of their own.
    if "# Examples/" not in text
}


@pytest.mark.parametrize("text", SNIPPETS.values(), ids=SNIPPETS)
def test_the_documents_snippets_run_as_written(start, tmp_path, text):
    with frameshare.Publisher("camera0", {"main": (160, 120, "BGR888")}) as publisher:
        process = start("-c", text, cwd=tmp_path, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        # Until it is over, or has said something: then the channel's end is to end it, unless it waits for the next one.
        said: list[object] = []
        while process.poll() is None and (not said or "reconnect=True" in text):
            said = select.select([process.stdout], [], [], 0.01)[0]
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
