"""What FrameShare is held against, and whether this run met it."""

import math
from dataclasses import dataclass

import contestants
from contestants import again, floor, in_c, in_python, original, ours, python_peers
from figures import Figures, nan
from table import count, fixed, megabytes, times


@dataclass
class Target:
    what: str
    against: str
    wanted: str
    measured: str
    #: The same of the floor's second run: what a program that is equal gives.
    noise: str
    met: bool = None

    @property
    def verdict(self):
        return "not measured" if self.met is None else "met" if self.met else "MISSED"


class Targets:
    def __init__(self, options, figures, checks):
        self.options, self.figures, self.checks = options, figures, checks
        self.few, self.many = min(options.readers), max(options.readers)
        self.small, self.large = min(options.sizes), max(options.sizes)
        self.all = []
        self.latencies()
        self.processor()
        self.unpaced()
        self.memory()
        self.counts()
        self.peers()
        self.python()

    def add(self, what, against, limit, value, noise=nan, least=False):
        self.all.append(
            Target(
                what,
                against,
                f"{'>=' if least else '<='} {times(limit)}",
                times(value),
                times(noise),
                None if math.isnan(value) else value >= limit if least else value <= limit,
            )
        )

    def against_floor(self, measure, kind, size, readers, other=floor, own=ours):
        """Our ratio to the floor, and that of the floor to itself."""
        theirs = (kind, other, size, readers)
        return (
            self.figures.ratio(measure, (kind, own, size, readers), theirs),
            self.figures.ratio(measure, (kind, again, size, readers), theirs),
        )

    def latencies(self):
        for size in self.options.sizes:
            self.add(
                f"latency p50, {megabytes(size)}, {self.few} sleeping reader",
                "floor",
                1.15,
                *self.against_floor(Figures.latency, "paced", size, self.few),
            )
        for size in self.options.sizes:
            p99 = {name: self.figures.pooled(0.99, "paced", name, size, self.few) for name in (ours, floor, again)}
            self.add(
                f"latency p99, pooled, {megabytes(size)}", "floor", 1.5, p99[ours] / p99[floor], p99[again] / p99[floor]
            )
        by_size = [
            self.figures.ratio(
                Figures.latency, ("paced", name, self.large, self.few), ("paced", name, self.small, self.few)
            )
            for name in (ours, floor)
        ]
        self.add(f"latency p50, {megabytes(self.large)}", f"itself at {megabytes(self.small)}", 1.05, *by_size)

    def processor(self):
        cell = ("paced", self.options.main_size, self.many)
        what = f"publisher CPU a frame, {self.many} sleeping readers"
        self.add(what, "floor", 1.25, *self.against_floor(self.figures.net_cpu, *cell))
        self.add(what, "iceoryx", 0.5, self.against_floor(self.figures.net_cpu, *cell, other="iceoryx")[0])

    def unpaced(self):
        for readers, limit in ((self.few, 1.0), (self.many, 0.8)):
            self.add(
                f"lossless frames/s, {count(readers)}",
                "floor",
                limit,
                *self.against_floor(Figures.frame_rate, "lossless", self.small, readers),
                least=True,
            )
        self.add(
            "spinning reader, one hop, p50", "bare spin", 2, *self.against_floor(Figures.latency, "spin", self.small, 1)
        )
        self.add(
            f"connect to first frame, 8 slots of {megabytes(self.options.main_size)}",
            "wake-up and mapping",
            1.5,
            *self.against_floor(Figures.latency, "connect", self.options.main_size, 1),
        )

    def memory(self):
        beyond = self.checks.memory.get(ours, nan) if self.checks else nan
        again_beyond = self.checks.memory.get(again, nan) if self.checks else nan
        self.all.append(
            Target(
                f"memory beyond the slots, publisher and {self.many} readers (PSS)",
                "-",
                "<= 15 MB",
                f"{fixed(beyond / 1e6)} MB",
                f"{fixed(again_beyond / 1e6)} MB",
                None if math.isnan(beyond) else beyond <= 15e6,
            )
        )

    def counts(self):
        if not self.checks:
            return
        for state, limit in (("awake", 0), ("asleep", 1)):
            for role in ("publisher", "reader"):
                calls = self.checks.calls.get((ours, state, role))
                if calls is None:
                    continue
                theirs = self.checks.calls.get((floor, state, role), {})
                # Less than none comes of how a run began and ended; it makes up for nothing.
                sums = [sum(n for name, n in each.items() if name != PACER and n > 0) for each in (calls, theirs)]
                # One every now and then that no frame causes is not one a frame.
                self.all.append(
                    Target(
                        f"system calls a frame, {state}, {role}",
                        "-",
                        f"<= {limit}",
                        fixed(sums[0], 2),
                        fixed(sums[1], 2),
                        sums[0] < limit + 0.05,
                    )
                )
        for role in ("publisher", "reader"):
            value = self.checks.allocations.get((ours, role), nan)
            self.all.append(
                Target(
                    f"allocations a frame, {role}",
                    "-",
                    "0",
                    fixed(value, 2),
                    fixed(self.checks.allocations.get((floor, role), nan), 2),
                    None if math.isnan(value) else value < 0.05,
                )
            )

    def peers(self):
        """Ahead of each in every row that both are in."""
        for name in contestants.peers:
            rows = self.rows_against(name)
            behind = [f"{what} {times(value)}" for what, value in rows if value >= 1]
            if rows:
                worst = max(rows, key=lambda row: row[1])
                self.all.append(
                    Target(
                        f"ahead in all of {len(rows)} rows",
                        name,
                        "< 1x",
                        "behind in " + ", ".join(behind) if behind else f"at most {times(worst[1])} ({worst[0]})",
                        "-",
                        not behind,
                    )
                )
        for size in self.options.sizes:
            self.add(
                f"latency p50, {megabytes(size)}, {self.few} sleeping reader",
                original,
                0.1,
                self.against_floor(Figures.latency, "paced", size, self.few, other=original)[0],
            )

    def python(self):
        """Python against C, and against what people write in Python."""
        size = self.options.main_size
        for readers in sorted({self.few, self.many}):
            cell = ("paced", size, readers)
            self.add(
                f"Python's latency p50, {count(readers)}", in_c, 1.6,
                self.against_floor(Figures.latency, *cell, other=in_c, own=in_python)[0],
            )  # fmt: skip
            self.add(
                f"Python's publisher CPU a frame, {count(readers)}", in_c, 2,
                self.against_floor(self.figures.net_cpu, *cell, other=in_c, own=in_python)[0],
            )  # fmt: skip
        for name in python_peers:
            rows = []
            for readers in self.options.readers:
                cell = ("paced", size, readers)
                latency = self.against_floor(Figures.latency, *cell, other=name, own=in_python)[0]
                processor = self.against_floor(self.figures.net_cpu, *cell, other=name, own=in_python)[0]
                rows += [(f"p50, {count(readers)}", latency), (f"publisher CPU, {count(readers)}", processor)]
            known = [(what, value) for what, value in rows if not math.isnan(value)]
            if known:
                worst = max(known, key=lambda row: row[1])
                self.add(f"Python ahead in all rows: the worst is {worst[0]}", name, 1, worst[1])

    def rows_against(self, name):
        """(row, ours over theirs), turned so that less is better."""
        paced = [(size, self.few) for size in self.options.sizes]
        paced += [(self.options.main_size, readers) for readers in self.options.readers if readers != self.few]
        rows = []
        for size, readers in paced:
            cell = ("paced", size, readers)
            label = f"at {megabytes(size)}, {count(readers)}"
            rows.append((f"p50 {label}", self.against_floor(Figures.latency, *cell, other=name)[0]))
            ours_p99, theirs_p99 = (self.figures.pooled(0.99, "paced", who, size, readers) for who in (ours, name))
            rows.append((f"p99 {label}", ours_p99 / theirs_p99))
            rows.append((f"publisher CPU {label}", self.against_floor(self.figures.net_cpu, *cell, other=name)[0]))
        for readers in self.options.readers:
            rate = self.against_floor(Figures.frame_rate, "lossless", self.small, readers, other=name)[0]
            rows.append((f"lossless frames/s, {count(readers)}", 1 / rate if rate else nan))
        if self.checks and name in self.checks.memory and ours in self.checks.memory and self.checks.memory[name] > 0:
            rows.append(("memory", self.checks.memory[ours] / self.checks.memory[name]))
        return [(what, value) for what, value in rows if not math.isnan(value)]


#: How the publisher waits for the next frame to be due: not a cost of publishing.
PACER = "clock_nanosleep"
