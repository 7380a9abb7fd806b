"""How frameshare.remote's workers start and end: what they can be given, deaths while a pool closes, Ctrl-C, killed parents, and
failures that nobody asks for."""

import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path

import numpy as np
import pytest
import remote_jobs as jobs
from conftest import PATIENCE, ended, until
from stand_in import LORES, MAIN, Camera
from test_remote import all_back, sent

import frameshare
from frameshare.remote import Picamera2Proxy, Pool, Process, camera_channel, carrying, child, dispatch, fork_server

TESTS = str(Path(__file__).parent)

# Starting


def test_workers_of_a_pool_are_forked_by_one_process_that_has_imported_the_program() -> None:
    camera = Camera(buffer_count=8)
    with Pool(jobs.parents, 4, camera) as pool:
        until(lambda: pool._dispatcher.workers.complete)
        reports = [sent(pool, camera).result(PATIENCE) for _ in range(8)]
        assert len({parent for _, parent in reports}) == 1 and os.getpid() not in {parent for _, parent in reports}


def test_a_program_that_spawns_has_its_workers_spawned(start, tmp_path) -> None:
    program = tmp_path / "spawning.py"
    program.write_text(textwrap.dedent("""
        import multiprocessing, os, sys
        sys.path.insert(0, sys.argv[1])
        import remote_jobs as jobs
        from stand_in import Camera
        from frameshare.remote import Pool
        if __name__ == "__main__":
            multiprocessing.set_start_method("spawn")
            camera = Camera()
            with Pool(jobs.parents, 2, camera) as pool:
                print(pool.send(camera.capture()).result()[1] == os.getpid())
    """))
    output, errors = start(str(program), TESTS).communicate(timeout=PATIENCE)
    assert output == "True\n", errors


def test_partial_functions_and_methods_carry_what_they_need() -> None:
    camera = Camera()
    with Process(partial(jobs.scaled, factor=3), camera) as process:
        assert sent(process, camera).result(PATIENCE) == 3
    camera = Camera()
    with Process(jobs.Scale(5).run, camera) as process:
        assert sent(process, camera).result(PATIENCE) == 5


def test_lambdas_and_closures_are_carried_where_cloudpickle_is() -> None:
    pytest.importorskip("cloudpickle")
    camera, factor = Camera(), 7
    with Pool(lambda request: jobs.value(request) * factor, 2, camera) as pool:
        assert [sent(pool, camera).result(PATIENCE) for _ in range(3)] == [7, 14, 21]


@pytest.mark.parametrize("count", [1, 2])
def test_what_can_not_be_carried_is_refused_with_what_to_do(count, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    for run in (lambda request: None, jobs.Scale(threading.Lock()).run):
        with pytest.raises(frameshare.InvalidArgument, match=r"run, .* can't be pickled .*functools\.partial"):
            Pool(run, count, Camera())
    with pytest.raises(frameshare.InvalidArgument, match="init"):
        Pool(jobs.value, count, Camera(), lambda: None)
    assert not multiprocessing.active_children()


def test_functions_of_a_program_without_a_file_are_carried_or_refused(start) -> None:
    program = textwrap.dedent("""
        import sys
        sys.path.insert(0, sys.argv[1])
        if len(sys.argv) > 2: sys.modules["cloudpickle"] = None
        from stand_in import Camera
        from frameshare.remote import Pool
        camera, factor = Camera(), 11
        def run(request):
            return factor * int(request.make_array("main")[0, 0, 0])
        with Pool(run, 2, camera) as pool:
            print(pool.send(camera.capture()).result())
    """)
    _, errors = start("-c", program, TESTS, "without").communicate(timeout=PATIENCE)
    assert "it stands under the guard, or in a program without a file" in errors
    pytest.importorskip("cloudpickle")
    output, errors = start("-c", program, TESTS).communicate(timeout=PATIENCE)
    assert output == "11\n", errors


UNDER_GUARD = """
import sys
sys.path.insert(0, sys.argv[1])
from stand_in import Camera
from frameshare.remote import Picamera2Proxy, Pool

class Other:
    def run(self):
        pass

if __name__ == "__main__":
    def values(request):
        return int(request.make_array("main")[0, 0, 0])

    class Values(Picamera2Proxy):
        def run(self):
            while (array := self.capture_array()) is not None:
                print("proxy", array[0, 0, 0], flush=True)

    if len(sys.argv) > 2:
        sys.modules["cloudpickle"] = None
    camera = Camera()
    with Values(camera) as proxy:
        proxy.send(camera.capture()).result()
    with Pool(values, 2, camera) as pool:
        print("pool", pool.send(camera.capture()).result())
"""


def test_what_stands_under_the_guard_is_carried_or_refused(start, tmp_path) -> None:
    program = tmp_path / "under_guard.py"
    program.write_text(UNDER_GUARD)
    _, errors = start(str(program), TESTS, "without").communicate(timeout=PATIENCE)
    assert "InvalidArgument: run, " in errors and "it stands under the guard" in errors and "functools.partial" in errors
    pytest.importorskip("cloudpickle")
    output, errors = start(str(program), TESTS).communicate(timeout=PATIENCE)
    assert output == "proxy 1\npool 2\n", errors


MAIN_PART = """
import sys
sys.path.insert(0, sys.argv[1])
from stand_in import Camera
from frameshare.remote import Pool

def run(request):
    return model

if __name__ == "__main__":
    model = 1
    camera = Camera()
    with Pool(run, 2, camera) as pool:
        pool.send(camera.capture())
"""


def test_a_name_that_the_main_part_sets_is_explained_and_the_failure_is_logged(start, tmp_path) -> None:
    program = tmp_path / "main_part.py"
    program.write_text(MAIN_PART)
    _, errors = start(str(program), TESTS).communicate(timeout=PATIENCE)
    assert "nobody asked its Future: name 'model' is not defined" in errors
    assert "in run" in errors and "functools.partial(run, model=model)" in errors


def test_why_workers_can_not_start_is_said() -> None:
    for count in (1, 3):
        with pytest.raises(RuntimeError, match="no model"), Pool(jobs.value, count, Camera(), jobs.bad_init) as pool:
            pool.send(Camera().capture()).result(PATIENCE)


def test_a_fork_of_the_program_does_not_close_its_parents_pool(start, tmp_path) -> None:
    program = tmp_path / "forking.py"
    program.write_text(textwrap.dedent("""
        import os, sys
        sys.path.insert(0, sys.argv[1])
        import remote_jobs as jobs
        from stand_in import Camera
        from frameshare.remote import Process
        if __name__ == "__main__":
            camera = Camera()
            with Process(jobs.value, camera) as process:
                future = process.send(camera.capture())
                child = os.fork()
                if child == 0:
                    sys.exit(4)
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                print(code, future.result(), process.send(camera.capture()).result())
    """))
    output, errors = start(str(program), TESTS).communicate(timeout=PATIENCE)
    assert output == "4 1 2\n", errors


FAILING = {
    "publisher": (camera_channel, "Publisher"), "parent": (dispatch, "Parent"), "workers": (dispatch, "Workers"),
    "thread": (threading.Thread, "start"),
}


@pytest.mark.parametrize("part", FAILING)
def test_a_pool_that_can_not_be_made_leaves_nothing_behind(part, monkeypatch, folder) -> None:
    def failing(*arguments, **options):
        raise OSError(part)

    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(*FAILING[part], failing)
    resource_tracker.ensure_running()  # it stays, with its descriptor
    camera, counts = Camera(), []
    for _ in range(3):
        with pytest.raises(OSError, match=part):
            Process(jobs.value, camera)
        gc.collect()
        counts.append(len(os.listdir("/proc/self/fd")))
    assert len(set(counts)) == 1
    assert not list(folder.iterdir()) and not any(str(folder) in command for command in commands())
    assert not multiprocessing.active_children()


def test_a_channel_that_ends_while_a_worker_connects_is_no_failure(monkeypatch, tmp_path) -> None:
    refused = frameshare.Refused("the publisher refused: the channel has ended")

    def connecting(*outcomes):
        left = list(outcomes)

        def connect(*arguments, **options):
            raise left.pop(0)

        monkeypatch.setattr(child, "Subscriber", connect)
        return child._member(str(tmp_path))

    assert connecting(refused, frameshare.NoSuchChannel("there is no channel")) is None
    with pytest.raises(frameshare.Refused):
        connecting(refused, refused, refused)


# Failures that nobody asks for


def test_a_failure_that_nobody_asks_for_is_logged_with_its_traceback(caplog) -> None:
    camera = Camera()
    with caplog.at_level(logging.ERROR, "frameshare"), Process(jobs.fails, camera) as process:
        sent(process, camera, how="raise")
        until(lambda: gc.collect() is not None and bool(caplog.records))
        asked = sent(process, camera, how="raise")
        assert isinstance(asked.exception(PATIENCE), ValueError)
        del asked
        sent(process, camera).result(PATIENCE)
        gc.collect()
    (record,) = caplog.records
    assert "no face" in record.getMessage() and "in fails" in str(record.exc_info[1].__cause__)


# Ending


@pytest.mark.parametrize(("count", "timeout"), [(1, None), (3, None), (3, 600)])
def test_workers_that_die_while_a_pool_closes_are_replaced_and_it_ends(count, timeout) -> None:
    camera = Camera(buffer_count=8)
    pool = Pool(jobs.die, count, camera, timeout=timeout)
    futures = [sent(pool, camera, how="kill" if number % 2 == 0 else None) for number in range(8)]
    pool.close()
    for number, future in enumerate(futures):
        if number % 2 == 0:
            assert isinstance(future.exception(0), frameshare.WorkerLost)
        else:
            assert future.result(0) == number + 1
    all_back(camera, 8)


def test_a_worker_that_ignores_the_end_is_killed() -> None:
    camera = Camera()
    process = Process(jobs.stays, camera)
    pid = sent(process, camera).result(PATIENCE)
    process.close()
    assert ended(pid)


def test_the_fork_server_that_dies_is_replaced_and_so_are_its_workers() -> None:
    camera = Camera()
    with Pool(jobs.parents, 2, camera) as pool:
        pid, server = sent(pool, camera).result(PATIENCE)
        os.kill(server, signal.SIGKILL)
        until(lambda: ended(pid))
        until(lambda: pool._dispatcher.workers.members == 0 or pid not in pool._dispatcher.workers.pids)
        other, successor = sent(pool, camera).result(PATIENCE)
        assert other != pid and successor != server
        all_back(camera)


@pytest.mark.parametrize("missing", [1, 1000])
def test_a_worker_whose_descriptor_does_not_arrive_is_replaced_and_the_reason_is_told(monkeypatch, caplog, missing) -> None:
    # As the kernel does it where a process has no room for one more.
    news, unwatched = fork_server.news, []

    def without_descriptor(server):
        heard = news(server)
        if heard is None or heard[0][0] != "started" or len(unwatched) >= missing:
            return heard
        unwatched.append(heard[0][1])
        for descriptor in heard[1]:
            os.close(descriptor)
        return heard[0], []

    monkeypatch.setattr(fork_server, "news", without_descriptor)
    camera = Camera()
    with Pool(jobs.parents, 2, camera) as pool:
        future = sent(pool, camera)
        if missing == 1:
            assert future.result(PATIENCE)[0] not in unwatched
            until(lambda: pool._dispatcher.workers.complete)
        else:
            with pytest.raises(RuntimeError, match="can't be watched: this process has too many open files"):
                future.result(PATIENCE)
        until(lambda: all(ended(pid) for pid in unwatched))
    all_back(camera)
    assert any("too many open files" in record.getMessage() for record in caplog.records)
    assert not any(record.exc_info for record in caplog.records), caplog.text


INTERRUPTED = """
import sys, threading
sys.path.insert(0, sys.argv[1])
if __name__ != "__main__":
    threading.Event().wait()   # what workers import takes for ever
from stand_in import Camera
import remote_jobs as jobs
from frameshare.remote import Pool
if __name__ == "__main__":
    camera = Camera()
    with Pool(jobs.value, int(sys.argv[2]), camera, timeout=None) as pool:
        future = pool.send(camera.capture())
        print("sent", flush=True)
        future.result()
"""


@pytest.mark.parametrize("count", [1, 3])
def test_ctrl_c_while_workers_import_ends_at_once(start, tmp_path, count) -> None:
    program = tmp_path / "interrupted.py"
    program.write_text(INTERRUPTED)
    parent = start(str(program), TESTS, str(count))
    assert parent.stdout.readline() == "sent\n", parent.communicate()
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does it
    # Without it the program would wait for ever. No time is held here: whoever runs the tests ends what hangs.
    _, errors = parent.communicate()
    # All have ended that could write there. And nobody else has heard it.
    assert errors.count("Traceback") == 1 and errors.endswith("KeyboardInterrupt\n"), errors


def test_a_callback_that_blocks_does_not_keep_a_pool_from_closing(monkeypatch, tmp_path, folder, caplog) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(dispatch, "_GRACE", 0.1)
    camera, blocks, go, ended_callbacks = Camera(), threading.Event(), threading.Event(), []

    def block(future):
        blocks.set()
        ended_callbacks.append(go.wait(PATIENCE))

    pool = Process(jobs.wait_for, camera)
    future, other = (sent(pool, camera, path=str(tmp_path / "flag")) for _ in range(2))
    future.add_done_callback(block)
    (tmp_path / "flag").touch()
    assert blocks.wait(PATIENCE)
    # Ctrl-C that comes while the pool is cleared away: the other Futures are still completed.
    join = pool._dispatcher.workers.join
    monkeypatch.setattr(pool._dispatcher.workers, "join", lambda: (join(), signal.raise_signal(signal.SIGINT)))
    with pytest.raises(KeyboardInterrupt):
        pool._dispatcher.close(0)
    assert not ended_callbacks
    # Answered or not, as far as its worker had come.
    other.exception(0)
    assert other.done() and not list(folder.iterdir())
    assert any("a callback of its Futures blocks" in record.getMessage() for record in caplog.records)
    all_back(camera)
    # And the thread ends once the callback has, without a word.
    caplog.clear()
    go.set()
    until(lambda: not pool._dispatcher._thread.is_alive())
    assert not caplog.records


BLOCKED = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from stand_in import Camera
import remote_jobs as jobs
from frameshare.remote import Process, dispatch
if __name__ == "__main__":
    dispatch._GRACE = 0.1
    camera, lock, blocks = Camera(), threading.Lock(), threading.Event()
    def block(future):
        blocks.set()
        with lock: pass
    with lock, Process(jobs.wait_for, camera) as process:
        future = process.send(camera.capture(), path=sys.argv[2])
        future.add_done_callback(block)
        open(sys.argv[2], "w").close()
        blocks.wait()
        print("closing", flush=True)
"""


def test_ctrl_c_ends_a_program_whose_callback_waits_for_what_it_holds_itself(start, tmp_path) -> None:
    program = tmp_path / "blocked.py"
    program.write_text(BLOCKED)
    parent = start(str(program), TESTS, str(tmp_path / "flag"))
    assert parent.stdout.readline() == "closing\n", parent.communicate()
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=PATIENCE)
    assert errors.endswith("KeyboardInterrupt\n"), errors


def test_ctrl_c_in_the_middle_of_sending_costs_the_camera_no_buffer(monkeypatch) -> None:
    camera, ask = Camera(), camera_channel.CameraChannel.ask

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return ask(*arguments)

    with Process(jobs.value, camera) as process:
        sent(process, camera).result(PATIENCE)
        monkeypatch.setattr(camera_channel.CameraChannel, "ask", interrupted)
        request = camera.capture()
        with pytest.raises(KeyboardInterrupt):
            process.send(request)
        monkeypatch.undo()
        request.release()
        until(lambda: len(camera.queued) == 4)
        assert sent(process, camera).result(PATIENCE) == 3


def test_what_a_callback_starts_hears_ctrl_c(tmp_path) -> None:
    camera, masks = Camera(), []

    def start_one(future):
        status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
        (mask,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk"))
        masks.append((threading.current_thread().name, bool(mask >> signal.SIGINT - 1 & 1)))

    with Process(jobs.wait_for, camera) as process:
        future = sent(process, camera, path=str(tmp_path / "flag"))
        future.add_done_callback(start_one)
        (tmp_path / "flag").touch()
        until(lambda: bool(masks))
    assert masks == [("frameshare-pool", False)]


ORPHANS = """
import sys, time
sys.path.insert(0, sys.argv[1])
moment, count = sys.argv[2], int(sys.argv[3])
if __name__ != "__main__" and moment == "import":
    time.sleep(1)
import remote_jobs as jobs
from stand_in import Camera
from frameshare.remote import Pool, workers

def wait():
    time.sleep(600)

if __name__ != "__main__" and moment == "a failing import":
    time.sleep(1)
    raise ImportError(moment)
if __name__ == "__main__":
    if moment == "before":
        workers.Workers.start = lambda self: print("now", flush=True) or wait()
    pool = Pool(jobs.slow, count, camera := Camera(), wait if moment == "init" else None, timeout=None)
    future = pool.send(camera.capture(), seconds=600 if moment == "work" else 0)
    if moment == "init":
        while not pool._dispatcher.workers.pids: time.sleep(0.01)
    if moment == "work":
        while not future.running(): time.sleep(0.01)
    if moment == "idle":
        future.result()
    print("now", flush=True)
    wait()
"""

# When the parent is killed, and how many workers it has.
MOMENTS = [("before", 1), ("import", 2), ("a failing import", 1), ("init", 2), ("work", 1), ("work", 2), ("idle", 1)]


def of_session(leader):
    """The processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def commands():
    """The command lines of all processes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield path.read_text(errors="replace")


def test_a_parent_that_is_killed_at_any_moment_leaves_neither_processes_nor_folders(start, tmp_path, folder) -> None:
    program = tmp_path / "orphans.py"
    program.write_text(ORPHANS)
    environment = {**os.environ, "TMPDIR": str(folder)}
    parents = [
        start(str(program), TESTS, moment, str(count), env=environment) for moment, count in MOMENTS
    ]
    for parent in parents:
        assert parent.stdout.readline() == "now\n", parent.communicate()
    assert len(list(folder.iterdir())) == len(MOMENTS)
    for parent in parents:
        parent.kill()
    until(lambda: not list(folder.iterdir()))
    until(lambda: not any(of_session(parent.pid) for parent in parents))
    # Nor do the shells stay that have removed them.
    until(lambda: not any(str(folder) in command for command in commands()))


def test_a_pool_works_with_a_folder_for_temporary_files_of_any_length(monkeypatch, folder) -> None:
    for length in (66, 67, 68, 69, 70, 100):
        parent = folder / ("é" + "x" * (length - len(str(folder)) - 3))
        parent.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(parent))
        channel = camera_channel.CameraChannel()
        # Short ones are in it.
        assert (Path(channel.directory).parent == parent) == (length <= 68)
        channel.close()
        parent.rmdir()


def test_a_pools_folder_goes_although_its_guard_is_told_to_end_with_the_program(monkeypatch, tmp_path) -> None:
    import frameshare.remote.folder as folder

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = folder.Folder()
    guard = left._guard
    # As a service manager ends all of a service's processes, also in the moment in which they start.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        guard._process.send_signal(number)
    folder._pipes.remove(guard._write)
    os.close(guard._write)  # as with its process
    assert guard._process.wait(PATIENCE) == 0
    assert not os.path.exists(left.path)
    left.remove()


def test_folders_of_programs_that_were_killed_with_their_workers_are_removed_by_the_next(monkeypatch, tmp_path) -> None:
    import frameshare.remote.folder as folder

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, living = folder.Folder(), folder.Folder()
    os.close(left._fd)  # as with its process
    for each in (left, living):
        os.utime(each.path, (0, 0))
    with Process(jobs.value, Camera()):
        assert not os.path.exists(left.path) and os.path.exists(living.path)


# What goes with a request


def test_what_run_changes_in_the_configuration_does_not_reach_later_requests() -> None:
    camera = Camera(main=MAIN, lores=LORES)
    with Process(jobs.change_config, camera) as process:
        assert [sent(process, camera).result(PATIENCE) for _ in range(3)] == [(60, 40)] * 3


def test_arrays_among_the_arguments_are_the_workers_own(tmp_path) -> None:
    camera = Camera()
    data = {"floats": np.arange(300_000.0), "bytes": np.ones((300, 300, 3), np.uint8), "text": "x" * 100_000}
    with Process(jobs.keep_arguments, camera) as process:
        for number in range(5):
            assert sent(process, camera, number=number, **data).result(PATIENCE) == number + 1
        assert process._dispatcher.channel.arena._used == {}


def test_an_ai_cameras_tensors_arrive_as_picamera2_has_them() -> None:
    camera = Camera()
    tensors = {
        "CnnInputTensor": tuple(i % 256 for i in range(300 * 300 * 3)),
        "CnnOutputTensor": tuple(i / 7 for i in range(30_000)),
        "Whole": tuple(range(-5000, 5000)),
        "Nested": ((1, 2), (3, 4)) * 2000,
    }
    camera.metadata.update(tensors)
    with Process(jobs.report, camera) as process:
        for _ in range(2):
            metadata = sent(process, camera).result(PATIENCE)["metadata"]
            assert {name: metadata[name] for name in tensors} == tensors
            assert metadata["ExposureTime"] == 8000 and type(metadata["CnnInputTensor"][0]) is int


# Proxies


class Sums(Picamera2Proxy):
    """Says what it has seen, in a file."""

    def __init__(self, picam2, path, most=None):
        super().__init__(picam2)
        self.path, self.most = path, most

    def run(self):
        with open(self.path, "w") as output:
            while (array := self.capture_array()) is not None:
                print(int(array[0, 0, 0]), array.shape, self.config["size"], file=output, flush=True)
                if self.most == 0:
                    os._exit(3)
                if self.most is not None and int(array[0, 0, 0]) >= self.most:
                    return


def test_a_proxy_misses_no_frame_and_ends_when_it_is_closed(tmp_path) -> None:
    camera = Camera()
    proxy = Sums(camera, tmp_path / "sums")
    proxy.start()
    for _ in range(10):
        until(lambda: camera.queued)
        proxy.send(camera.capture())  # and not released: the proxy has taken that over
    pid = proxy.pid
    proxy.close()
    assert (tmp_path / "sums").read_text().splitlines() == [f"{n} (40, 60, 4) (60, 40)" for n in range(1, 11)]
    all_back(camera)
    assert ended(pid) and not proxy.is_alive() and proxy.exitcode == 0


def test_a_proxy_whose_run_returns_gives_back_what_is_sent_to_it(tmp_path) -> None:
    camera = Camera()
    with Sums(camera, tmp_path / "sums", most=2) as proxy:
        futures = [proxy.send(camera.capture()) for _ in range(3)]
        assert isinstance(futures[2].exception(PATIENCE), Exception)
        proxy.join(PATIENCE)
        assert proxy.exitcode == 0
        with pytest.raises(RuntimeError, match="exit code 0"):
            proxy.send(camera.capture())
        all_back(camera)


def test_a_proxy_that_dies_gives_its_frames_back(tmp_path) -> None:
    camera = Camera()
    with Sums(camera, tmp_path / "sums", most=0) as proxy:
        futures = [proxy.send(camera.capture()) for _ in range(3)]
        assert all(future.exception(PATIENCE) is not None for future in futures)
        proxy.join(PATIENCE)
        assert proxy.exitcode == 3
        all_back(camera)


def test_a_proxy_may_be_given_a_function_as_a_process_is(tmp_path) -> None:
    camera = Camera()
    with Picamera2Proxy(camera, target=jobs.touch, args=(tmp_path / "touched",)) as proxy:
        proxy.join(PATIENCE)
    assert (tmp_path / "touched").exists()


def test_explained_leaves_other_exceptions_as_they_are() -> None:
    error = KeyError("x")
    assert carrying.explained(error) is error and not hasattr(error, "__notes__")
