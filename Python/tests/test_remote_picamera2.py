"""frameshare.remote under the whole real Picamera2, beside picamera2.remote itself; and its requests while the camera is configured
anew, stopped and switched: in random order for FRAMESHARE_REMOTE_SECONDS (3) seconds.
"""

import json
import os
import random
import re
import subprocess
import threading
import time
from pathlib import Path

import fake_libcamera
import pytest
import remote_jobs as jobs
from conftest import EXAMPLES, PATIENCE, README, is_published, until
from fake_libcamera import video

import frameshare
from frameshare._tap import Tap
from frameshare.remote import Picamera2Proxy, Pool, Process
from frameshare.remote.held import HeldBuffers

fake_libcamera.install_or_skip()

TESTS = Path(__file__).parent
SECONDS = float(os.environ.get("FRAMESHARE_REMOTE_SECONDS", "3"))


@pytest.fixture
def with_fake(tmp_path):
    """The environment of a program that runs on the fake camera, and its workers too."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import fake_libcamera\nfake_libcamera.install()\n")
    return {**os.environ, "PYTHONPATH": f"{site}:{TESTS}:{os.environ.get('PYTHONPATH', '')}", "PYTHONUNBUFFERED": "1"}


def captured(picam2):
    request = picam2.capture_request()
    return request, request.get_metadata()["FocusFoM"], request.config["main"]["size"]


def test_a_program_gives_with_one_import_line_changed_what_it_gives_with_picamera2s_own(start, with_fake, tmp_path) -> None:
    pytest.importorskip("picamera2.remote", reason="this picamera2 has no remote module")
    results = {}
    for module in ("picamera2.remote", "frameshare.remote"):
        folder = tmp_path / module
        folder.mkdir()
        program = start(str(TESTS / "remote_program.py"), module, str(folder), env=with_fake)
        output, errors = program.communicate(timeout=PATIENCE)
        assert program.returncode == 0, errors
        lines = [json.loads(line) for line in output.splitlines()]
        assert len(lines) == 12 == len(list(folder.glob("*.png"))) and all(line["saved"] for line in lines), errors
        for line in lines:
            # The pixels follow from the frame's number.
            number, pixels = line.pop("number"), 128 * 96
            seen = sum((number << 2).to_bytes(4, "little")) * pixels
            assert (line.pop("seen"), line.pop("lores")) == (seen, [[72, 128], (number << 2 | 1) & 255])
            assert line.pop("written") == line.pop("buffer") == 255 * 4 * pixels - seen
            line.pop("saved")
        results[module] = lines
    # And all else is the same for each frame.
    theirs, ours = results.values()
    assert all(line == theirs[0] for line in [*theirs, *ours])


def test_a_program_with_a_thread_and_a_callback_prints_with_one_import_line_changed_what_it_prints_with_picamera2s_own(start, with_fake) -> None:
    pytest.importorskip("picamera2.remote", reason="this picamera2 has no remote module")
    modules = "picamera2.remote", "frameshare.remote"
    programs = [start(str(TESTS / "remote_threads_program.py"), module, env=with_fake) for module in modules]
    for program in programs:
        output, errors = program.communicate(timeout=PATIENCE)
        assert program.returncode == 0, errors
        lines = [json.loads(line) for line in output.splitlines()]
        assert [line for line in lines if "result" in line] == [{"result": n, "right": True, "mark": n} for n in range(8)]
        seen = [line for line in lines if "worker" in line]
        assert len(seen) == 8 and all(line["same"] for line in seen), output


def test_the_example_of_a_proxy_sees_every_frame(start, with_fake) -> None:
    program = start(str(EXAMPLES / "proxy.py"), "20", env=with_fake)
    output, errors = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0, errors
    frames = re.findall(r"^frame (\d+): 640x480, mean \d+\.\d$", output, re.M)
    assert frames == [str(number) for number in range(1, 21)] and "has sent all" in output, errors


def readme(marker):
    """The program in Python's README that has a line like this."""
    blocks = re.split(r"^```.*\n", README.read_text(), flags=re.M)[1::2]
    (program,) = [block for block in blocks if marker in block]
    return program


def test_the_readmes_picamera2_programs_run_as_written(start, with_fake, tmp_path) -> None:
    sharing = readme('frameshare.picamera2.publish(picam2, "camera0")')
    publisher = start("-c", sharing + "input()", env=with_fake, stdin=subprocess.PIPE)
    until(lambda: publisher.poll() is not None or is_published("camera0"))
    assert publisher.poll() is None, publisher.communicate()
    with frameshare.Subscriber("camera0") as subscriber:
        assert subscriber.next(PATIENCE)["main"].width == 1280
    publisher.communicate("\n", timeout=PATIENCE)
    program = tmp_path / "remote.py"
    program.write_text(readme("with Pool(run, 4, picam2)"))
    output, errors = start(str(program), env=with_fake).communicate(timeout=PATIENCE)
    assert re.fullmatch(r"\d+\.\d+\n", output), errors


def test_requests_that_wait_are_worked_on_after_the_camera_was_configured_anew(picam2, tmp_path) -> None:
    picam2.configure(video(picam2))
    flag = tmp_path / "flag"
    with Process(jobs.pixels_after, picam2, jobs.with_fake_camera) as process:
        for size in ((160, 96), (128, 96), (320, 240)):
            flag.unlink(missing_ok=True)
            picam2.start()
            sent = []
            for _ in range(3):
                request, number, old = captured(picam2)
                sent.append((process.send(request, path=str(flag)), number, old))
                request.release()
            picam2.stop()
            picam2.configure(video(picam2, size))
            picam2.start()
            request, number, new = captured(picam2)
            sent.append((process.send(request), number, new))
            request.release()
            picam2.stop()
            flag.touch()
            for future, number, size in sent:
                assert future.result(PATIENCE) == (number, list(size))


def test_requests_of_a_mode_that_the_camera_has_left_can_be_sent(picam2) -> None:
    picam2.configure(video(picam2))
    still = picam2.create_still_configuration({"size": (320, 240)})
    with Pool(jobs.pixels_after, 2, picam2, jobs.with_fake_camera) as pool:
        picam2.start()
        for _ in range(4):
            request = picam2.switch_mode_and_capture_request(still)
            number = request.get_metadata()["FocusFoM"]
            future = pool.send(request)
            request.release()
            other, its_number, its_size = captured(picam2)
            its_future = pool.send(other)
            other.release()
            assert future.result(PATIENCE) == (number, [320, 240])
            assert its_future.result(PATIENCE) == (its_number, list(its_size)) and its_size == (128, 96)
        picam2.stop()


def test_no_request_is_ever_seen_with_another_frames_pixels_whatever_the_camera_does(picam2) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice, sizes = random.Random(seed), [(128, 96), (160, 96), (320, 240)]
    picam2.configure(video(picam2))
    sent, end = [], time.monotonic() + SECONDS
    with Pool(jobs.pixels_after, 2, picam2, jobs.with_fake_camera) as pool:
        picam2.start()

        def send(request):
            sent.append((pool.send(request), request.get_metadata()["FocusFoM"], request.config["main"]["size"]))
            request.release()

        while time.monotonic() < end or len(sent) < 20:
            for _ in range(dice.randrange(4)):
                send(picam2.capture_request())
            match dice.randrange(5):
                case 0:
                    picam2.switch_mode(video(picam2, dice.choice(sizes)))
                case 1:
                    send(picam2.switch_mode_and_capture_request(picam2.create_still_configuration({"size": dice.choice(sizes)})))
                case 2:
                    held = picam2.capture_request()
                    picam2.stop()
                    picam2.configure(video(picam2, dice.choice(sizes)))
                    picam2.start()
                    send(held)
                case 3:
                    picam2.stop()
                    picam2.start()
        for future, number, size in sent:
            assert future.result(PATIENCE) == (number, list(size))
        picam2.stop()


class Numbers(Picamera2Proxy):
    def __init__(self, picam2, path):
        super().__init__(picam2)
        self.path = path

    def run(self):
        jobs.with_fake_camera()
        with open(self.path, "w") as output:
            while (array := self.capture_array()) is not None:
                print(fake_libcamera.pixels(array)[0], file=output, flush=True)


def test_a_proxy_takes_requests_over_and_the_camera_goes_on(picam2, tmp_path) -> None:
    picam2.configure(video(picam2))
    numbers = []
    with Numbers(picam2, tmp_path / "numbers") as proxy:
        picam2.start()
        for _ in range(20):
            request, number, _ = captured(picam2)
            numbers.append(number)
            proxy.send(request)
    assert list(map(int, (tmp_path / "numbers").read_text().split())) == numbers
    picam2.capture_metadata()
    picam2.stop()


def test_dng_files_are_written_or_it_is_said_that_pidng_does_not_fit_picamera2(picam2, tmp_path) -> None:
    picam2.configure(picam2.create_still_configuration({"size": (128, 96)}, raw={}, buffer_count=2))
    picam2.start()
    with Process(jobs.dng, picam2, jobs.with_fake_camera) as process:
        request = picam2.capture_request()
        try:
            request.save_dng(str(tmp_path / "own.dng"))
        except TypeError:
            with pytest.raises(RuntimeError, match="the installed PiDNG does not fit this picamera2"):
                process.send(request, path=str(tmp_path / "a.dng")).result(PATIENCE)
        else:
            assert process.send(request, path=str(tmp_path / "a.dng")).result(PATIENCE) == b"II*\0"
            assert (tmp_path / "a.dng").read_bytes() == (tmp_path / "own.dng").read_bytes()
        request.release()
    picam2.stop()


def test_what_comes_free_while_the_camera_starts_is_queued_once_it_has_started(picam2, tmp_path, monkeypatch) -> None:
    picam2.configure(video(picam2, buffer_count=1))
    flag, giving, given = tmp_path / "flag", threading.Event(), threading.Event()
    requests, give_back = Tap.requests, HeldBuffers.give_back

    def chosen(tap, made):
        result = requests(tap, made)
        # Now it is settled that the camera does not get the buffer that a worker reads, and the worker gives it back.
        if held:
            assert result == []
            flag.touch()
            assert giving.wait(PATIENCE)
            given.wait(0.3)  # it has to wait for the start, and comes to nothing where it does not
        return result

    def given_back(*arguments):
        giving.set()
        give_back(*arguments)
        given.set()

    monkeypatch.setattr(Tap, "requests", chosen)
    monkeypatch.setattr(HeldBuffers, "give_back", given_back)
    held = False
    with Process(jobs.pixels_after, picam2, jobs.with_fake_camera, timeout=None) as process:
        picam2.start()
        request, number, size = captured(picam2)
        future = process.send(request, path=str(flag))
        request.release()
        picam2.stop()
        held = True
        picam2.start()
        held = False
        assert future.result(PATIENCE) == (number, list(size))
        picam2.capture_request(wait=PATIENCE).release()
        picam2.stop()


def test_dng_files_of_workers_are_those_of_a_picamera2_that_pidng_fits(start, tmp_path) -> None:
    older = Path(os.environ["FRAMESHARE_PICAMERA2"]) / "with-pidng"
    if not older.exists():
        pytest.skip(f"no picamera2 that PiDNG fits was fetched: no {older}")
    program = start(
        str(TESTS / "dng_program.py"), str(tmp_path), env={**os.environ, "PYTHONPATH": str(older), "PYTHONUNBUFFERED": "1"}
    )
    _, errors = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0, errors
    own = (tmp_path / "own.dng").read_bytes()
    assert own[:4] == b"II*\0" and len(own) > 10_000 and (tmp_path / "workers.dng").read_bytes() == own


def test_a_request_whose_buffer_the_camera_had_again_is_refused(picam2) -> None:
    picam2.configure(video(picam2))
    with Process(jobs.pixels_after, picam2, jobs.with_fake_camera) as process:
        picam2.start()
        request, number, size = captured(picam2)
        picam2.stop()
        # Nothing has been written to it yet, and it is kept from the next start.
        future = process.send(request)
        assert future.result(PATIENCE) == (number, list(size))
        picam2.start()
        for restarts in range(2):
            with pytest.raises(frameshare.InvalidArgument, match="stopped and started since this request was captured"):
                process.send(request)
            if restarts:
                picam2.start()
            else:
                picam2.stop()
        request.release()
        request, number, size = captured(picam2)
        assert process.send(request).result(PATIENCE) == (number, list(size))
        request.release()
        picam2.stop()


def test_all_metadata_arrive_as_the_local_request_has_them(picam2) -> None:
    numbers = tuple(float(number) for number in range(2000))
    fake_libcamera.camera().extra = {
        "List": [1, 2], "Empty": [], "Pairs": ((1, 2), (3, 4)), "Rectangles": [(1, 2, 3, 4), (5, 6, 7, 8)], "Truths": (True, False),
        "TruthPairs": ((True, False), (True, True)), "Nested": ((1.0, 2.0, 3.0),) * 2, "Bytes": b"a\0b", "Text": "\udc80\0", "Nothing": None,
        "Mixed": (1, 2.5, "a"), "Dictionary": {"a": (1, 2)}, "Huge": 1 << 70, "": 1, "k" * 300: (2,), "NaN": float("nan"),
        **{f"Many{index}": numbers for index in range(40)},
    }
    picam2.configure(video(picam2))
    with Process(jobs.metadata, picam2, jobs.with_fake_camera) as process:
        picam2.start()
        with picam2.captured_request() as request:
            assert repr(sorted(process.send(request).result(PATIENCE).items())) == repr(sorted(request.get_metadata().items()))
        with pytest.raises(frameshare.InvalidArgument, match="was released, and is the camera's again"):
            process.send(request)
        picam2.stop()
