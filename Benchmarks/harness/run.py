"""One run of one contestant: its processes, its private folder, and what they said."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from array import array
from dataclasses import dataclass, field

libc = ctypes.CDLL(None)
FRAMES_IN_FLIGHT = 4
SLOTS = 8


@dataclass(frozen=True)
class Cell:
    """What is run."""

    kind: str
    contestant: str
    size: int
    readers: int


@dataclass
class Result:
    """What came of it. Times in ns."""

    cell: Cell
    round: int
    publisher: dict = field(default_factory=dict)
    readers: list = field(default_factory=list)
    #: Of all readers together.
    latencies: array = field(default_factory=lambda: array("q"))
    publishing: array = field(default_factory=lambda: array("q"))
    #: PSS of all processes while they ran, if it was looked at.
    memory: int = 0
    #: What went wrong; empty: nothing.
    failure: str = ""

    @property
    def lost(self):
        return sum(reader["lost"] for reader in self.readers)

    @property
    def wrong(self):
        return sum(reader["wrong"] for reader in self.readers)


class Run:
    """Processes and a folder that are gone when this is."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="frame-bench-")
        self.processes = []
        self.daemon = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Whoever is impatient twice must not leave anything behind either.
        before = {
            number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            for process in self.processes:
                self.end(process)
            if self.daemon:
                self.daemon.clean()
            shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @staticmethod
    def end(process):
        """Each is the leader of its own group: its children go with it."""
        for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                pass
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def path(self, name):
        return os.path.join(self.folder, name)

    def said(self, name):
        with open(self.path(f"{name}.out"), errors="replace") as out, open(
            self.path(f"{name}.err"), errors="replace"
        ) as err:
            return out.read() + err.read()

    def start(self, name, command, environment={}, daemon=False):
        number = signal.SIGTERM if daemon else signal.SIGKILL
        with open(self.path(f"{name}.out"), "w") as out, open(self.path(f"{name}.err"), "w") as err:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=os.environ | {"BENCH_DIR": self.folder} | environment,
                start_new_session=True,
                # Nobody outlives a benchmark that was killed. PR_SET_PDEATHSIG is 1.
                preexec_fn=lambda: libc.prctl(1, number),
            )
        # Daemons end last.
        self.processes.insert(len(self.processes) if daemon else 0, process)
        return process

    def wait_for_file(self, name, process, patience=30):
        limit = time.monotonic() + patience
        while not os.path.exists(self.path(name)):
            if process.poll() is not None:
                raise RuntimeError(f"ended before it began: {last_line(self.said('publisher'))}")
            if time.monotonic() > limit:
                raise RuntimeError(f"is not ready after {patience} s")
            time.sleep(0.002)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("{")]
    return lines[-1].strip() if lines else "it said nothing"


def arguments(cell, options, frames):
    """The options of a cell, for publisher and readers alike."""
    words = ["--size", cell.size, "--readers", cell.readers, "--slots", SLOTS]
    if cell.contestant == "eventfd" or cell.contestant == "idle":
        words += ["--way", cell.contestant]
    elif cell.contestant == "floor-populate":
        words += ["--way", "futex-populate"]
    elif cell.contestant.startswith("floor"):
        words += ["--way", "futex"]
    if cell.kind in ("lossless", "ping-pong"):
        in_flight = 1 if cell.kind == "ping-pong" else FRAMES_IN_FLIGHT
        words += ["--rate", 0, "--frames", frames or 100000, "--seconds", options.seconds / 2]
        words += ["--in-flight", in_flight, "--warm-up", 50]
    elif cell.kind == "spin":
        words += ["--rate", options.rate * 10, "--frames", frames or round(options.rate * 10 * options.seconds)]
        words += ["--warm-up", 2 * SLOTS, "--spin"]
    else:
        # Warm once every slot was used.
        words += ["--rate", options.rate, "--frames", frames or round(options.rate * options.seconds)]
        words += ["--warm-up", SLOTS + 2]
    return [str(word) for word in words]


def pool_size(cell):
    """Frames in the pool. Who reserves what readers may hold of it needs more than a ring."""
    in_flight = {"lossless": FRAMES_IN_FLIGHT, "ping-pong": 1}.get(cell.kind, 0)
    return max(SLOTS, 1 + in_flight * cell.readers)


def samples(path):
    values = array("q")
    try:
        with open(path, "rb") as file:
            values.frombytes(file.read())
    except FileNotFoundError:
        pass
    return values


def carry_out(
    cell,
    contestant,
    options,
    round=0,
    frames=None,
    more=(),
    reader_more=(),
    prefix=lambda role: [],
    environment={},
    inspect=None,
):
    """Runs a cell. `prefix` is put before each command, `inspect` is called with all process ids while frames flow."""
    result = Result(cell, round)
    with Run() as run:
        try:
            environment = dict(environment)
            if contestant.daemon:
                run.daemon = contestant.daemon.__new__(contestant.daemon)
                run.daemon.__init__(run, cell, pool_size(cell))
                environment |= run.daemon.environment | {"BENCH_DAEMON": str(run.daemon.process.pid)}
            words = arguments(cell, options, frames)
            target = run.path("samples")
            publisher = run.start(
                "publisher",
                prefix("publisher") + contestant.command + ["publisher"] + words + list(more) + ["--samples", target],
                environment,
            )
            run.wait_for_file("open", publisher)
            processes = [publisher]
            if not contestant.starts_readers:
                for i in range(cell.readers):
                    command = prefix(f"reader-{i}") + contestant.command + ["reader"] + words + list(more)
                    command += list(reader_more) + ["--reader", str(i), "--samples", f"{target}.{i}"]
                    processes.append(run.start(f"reader-{i}", command, environment))
            if inspect:
                run.wait_for_file("began", publisher)
                result.memory = inspect(processes + ([run.daemon.process] if run.daemon else []))
            limit = time.monotonic() + 60 + options.seconds * 4
            for i, process in reversed(list(enumerate(processes))):
                code = process.wait(max(0.1, limit - time.monotonic()))
                name = f"reader-{i - 1}" if i else "publisher"
                if code != 0:
                    raise RuntimeError(f"{name} ended with {code}: {last_line(run.said(name))}")
            for i in range(len(processes)):
                for line in run.said(f"reader-{i - 1}" if i else "publisher").splitlines():
                    if line.startswith("{"):
                        said = json.loads(line)
                        if said["role"] == "publisher":
                            result.publisher = said
                        else:
                            result.readers.append(said)
            if not result.publisher or len(result.readers) != cell.readers:
                raise RuntimeError(f"{len(result.readers)} of {cell.readers} readers said what they saw")
            result.publishing = samples(target)
            for i in range(cell.readers):
                result.latencies.extend(samples(f"{target}.{i}"))
        except subprocess.TimeoutExpired:
            result.failure = "did not end in time"
        except (RuntimeError, OSError) as error:
            result.failure = str(error)
    return result
