"""What is counted apart from the timed runs: memory, system calls, allocations."""

import glob
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field

import contestants
from figures import median, nan
from run import SLOTS, Cell, carry_out


@dataclass
class Checks:
    #: contestant: bytes beyond the frames, publisher and readers and daemon
    memory: dict = field(default_factory=dict)
    #: (contestant, "awake" or "asleep", role): {system call: number a frame}
    calls: dict = field(default_factory=dict)
    #: (contestant, role): number a frame
    allocations: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)


def descendants(process):
    found = [process]
    for thread in glob.glob(f"/proc/{process}/task/*/children"):
        try:
            with open(thread) as file:
                for child in file.read().split():
                    found += descendants(int(child))
        except OSError:
            continue
    return found


def share_of_memory(process):
    with open(f"/proc/{process}/smaps_rollup") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def carry_out_checks(plan, options, programs, progress):
    checks = Checks()
    most = max(options.readers)
    for name in plan.present:
        if "checks" in plan.everyone[name].without:
            continue
        progress(f"memory: {name}, {most} readers")
        look_at_memory(checks, plan.everyone[name], options, most)
    for name in (contestants.floor, contestants.ours):
        if name not in plan.present:
            continue
        for state in ("asleep", "awake"):
            progress(f"system calls: {name}, {state}")
            count_calls(checks, plan.everyone[name], options, state)
        progress(f"allocations: {name}")
        count_allocations(checks, plan.everyone[name], options, programs)
    return checks


def look_at_memory(checks, contestant, options, readers):
    """Every slot is filled, so that it is there; then all processes' shares (PSS) are added."""
    cell = Cell("paced", contestant.name, options.main_size, readers)

    def inspect(processes):
        # Two thirds into the run: every slot was used.
        time.sleep(1)
        everyone = {number for process in processes for number in descendants(process.pid)}
        return sum(share_of_memory(number) for number in everyone)

    frames = round(options.rate * 1.5)
    result = carry_out(cell, contestant, options, frames=frames, more=["--fill", "all"], inspect=inspect)
    if result.failure:
        checks.failures.append(f"memory of {contestant.name}: {result.failure}")
    else:
        checks.memory[contestant.name] = result.memory - SLOTS * options.main_size


def per_frame(contestant, options, kind, measure):
    """Measures two runs, and shares the difference among the frames that the longer one had more."""
    short, long = options.rate // 2, options.rate * 4
    first, second = measure(kind, short), measure(kind, long)
    return {
        role: {
            what: (second[role].get(what, 0) - first[role].get(what, 0)) / (long - short)
            for what in first[role].keys() | second[role].keys()
        }
        for role in first
    }


def count_calls(checks, contestant, options, state):
    if not shutil.which("strace"):
        checks.failures.append("system calls: strace is not installed")
        return
    cell = Cell("paced", contestant.name, min(options.sizes), 1)

    def measure(_, frames):
        with tempfile.TemporaryDirectory(prefix="frame-bench-") as folder:

            def prefix(role):
                return ["strace", "-f", "-c", "-U", "calls,name", "-o", os.path.join(folder, role)]

            more = ["--spin"] if state == "awake" else []
            result = carry_out(cell, contestant, options, frames=frames, more=more, prefix=prefix)
            if result.failure:
                raise RuntimeError(result.failure)
            return {role: calls_in(os.path.join(folder, name)) for role, name in ROLES}

    try:
        for role, calls in per_frame(contestant, options, state, measure).items():
            checks.calls[contestant.name, state, role] = {name: n for name, n in calls.items() if abs(n) >= ONCE}
    except RuntimeError as error:
        checks.failures.append(f"system calls of {contestant.name}, {state}: {error}")


ROLES = (("publisher", "publisher"), ("reader", "reader-0"))
# A frame. What is given back at the end of a run (some twenty mappings and descriptors) is so in one run, and left to the
# kernel in another; a call for each frame, or each tenth, is well above.
ONCE = 0.06


def calls_in(path):
    with open(path) as file:
        rows = re.findall(r"^\s*(\d+)\s+(\w+)$", file.read(), re.MULTILINE)
    return {name: int(count) for count, name in rows if name != "total"}


def count_allocations(checks, contestant, options, programs):
    cell = Cell("paced", contestant.name, min(options.sizes), 1)
    library = os.path.join(programs, "count_allocations.so")

    def measure(_, frames):
        with tempfile.TemporaryDirectory(prefix="frame-bench-") as folder:

            def prefix(role):
                return ["env", f"LD_PRELOAD={library}", f"BENCH_ALLOCATIONS={os.path.join(folder, role)}"]

            result = carry_out(cell, contestant, options, frames=frames, prefix=prefix)
            if result.failure:
                raise RuntimeError(result.failure)
            counts = {}
            for role, name in ROLES:
                # env itself allocates nothing: it becomes the program.
                values = [int(open(path).read()) for path in glob.glob(os.path.join(folder, f"{name}.*"))]
                counts[role] = {"malloc": median(values) if values else nan}
            return counts

    try:
        for role, counts in per_frame(contestant, options, "paced", measure).items():
            checks.allocations[contestant.name, role] = counts["malloc"]
    except RuntimeError as error:
        checks.failures.append(f"allocations of {contestant.name}: {error}")
