"""The tables at the end."""

import contestants
from contestants import floor, names
from figures import Figures
from table import count, fixed, megabytes, micro, table, times
from targets import PACER


class Report:
    def __init__(self, options, plan, results, checks, targets):
        self.options, self.plan, self.results, self.checks, self.targets = options, plan, results, checks, targets
        self.figures = Figures(results)

    @property
    def text(self):
        parts = [
            self.legend(),
            self.paced(),
            self.unpaced(),
            self.single(),
            self.counted(),
            self.absent(),
            self.verdicts(),
        ]
        return "\n".join("\n".join(part) + "\n" for part in parts if part)

    def legend(self):
        lines = [f"{self.options.rounds} rounds, interleaved, each in another order. x: to 'floor', median over rounds"]
        lines += [
            "of the ratio within a round (p99: all rounds' samples together). floor-again: the same program twice (A/A),"
        ]
        lines += ["so how far its x lies from 1 is noise.", ""]
        shown = [self.plan.everyone[name] for name in self.plan.present]
        return lines + table(["contestant", "what it is"], [[each.name, each.what] for each in shown], left=2)

    def contestants_of(self, kind, size, readers):
        return [name for name in names if self.figures.all(kind, name, size, readers)]

    def paced(self):
        lines = []
        cells = dict.fromkeys((result.cell.readers, result.cell.size) for result in self.of("paced"))
        for readers, size in sorted(cells):
            rows = []
            for name in self.contestants_of("paced", size, readers):
                mine, theirs = ("paced", name, size, readers), ("paced", floor, size, readers)
                p99, floor_p99 = (self.figures.pooled(0.99, *cell) for cell in (mine, theirs))
                rows.append(
                    [
                        name,
                        micro(self.figures.value(Figures.latency, *mine)),
                        times(self.figures.ratio(Figures.latency, mine, theirs)),
                        micro(p99, 0),
                        times(p99 / floor_p99),
                        micro(self.figures.value(self.figures.net_cpu, *mine)),
                        times(self.figures.ratio(self.figures.net_cpu, mine, theirs)),
                        micro(self.figures.value(Figures.call, *mine)),
                        micro(self.figures.value(Figures.reader_cpu, *mine)),
                        sum(result.lost for result in self.figures.all(*mine)),
                    ]
                )
            lines += [
                "",
                f"{megabytes(size)}, {count(readers)} that sleep{'s' * (readers == 1)}, {self.options.rate} frames/s:",
                "",
            ]
            lines += table(
                [
                    "contestant",
                    "p50 us",
                    "x",
                    "p99 us",
                    "x",
                    "publisher CPU us",
                    "x",
                    "call us",
                    "reader CPU us",
                    "lost",
                ],
                rows,
            )
        if lines:
            lines = [
                "Paced. Latency: from before publishing to the reader's reading the frame. Publisher CPU: a frame, all threads",
                "and the contestant's daemon, above what the pace alone takes (in Python, for those in Python). Call: how long publishing took.",
            ] + lines
        return lines

    def of(self, kind):
        return [result for result in self.figures.results if result.cell.kind == kind and result.cell.readers > 0]

    def unpaced(self):
        lines = []
        for kind, title in (("lossless", "at most 4 frames in flight"), ("ping-pong", "one frame in flight")):
            for readers, size in sorted(dict.fromkeys((r.cell.readers, r.cell.size) for r in self.of(kind))):
                rows = []
                for name in self.contestants_of(kind, size, readers):
                    mine, theirs = (kind, name, size, readers), (kind, floor, size, readers)
                    rows.append(
                        [
                            name,
                            fixed(self.figures.value(Figures.frame_rate, *mine), 0),
                            times(self.figures.ratio(Figures.frame_rate, mine, theirs)),
                            micro(self.figures.value(lambda r: r.publisher["cpu_ns_per_frame"], *mine)),
                            micro(self.figures.value(Figures.reader_cpu, *mine)),
                            sum(result.lost for result in self.figures.all(*mine)),
                        ]
                    )
                lines += ["", f"{kind}, {megabytes(size)}, {count(readers)}, unpaced, {title}:", ""]
                lines += table(["contestant", "frames/s", "x", "publisher CPU us", "reader CPU us", "lost"], rows)
        return lines[1:]

    def single(self):
        lines = []
        for kind, title in (
            ("spin", f"Neither side sleeps, {self.options.rate * 10} frames/s: one hop"),
            ("connect", "Connecting: from nothing to the first frame, but for waiting until it was due"),
        ):
            rows = []
            for name in names:
                cell = (kind, name, min(self.options.sizes) if kind == "spin" else self.options.main_size, 1)
                if self.figures.all(*cell):
                    theirs = (kind, floor, *cell[2:])
                    rows.append(
                        [
                            name,
                            micro(self.figures.value(Figures.latency, *cell), 2),
                            times(self.figures.ratio(Figures.latency, cell, theirs)),
                            micro(self.figures.pooled(0.99, *cell), 1),
                        ]
                    )
            if rows:
                lines += ["", title + ":", ""] + table(["contestant", "p50 us", "x", "p99 us"], rows)
        return lines[1:]

    def counted(self):
        if not self.checks:
            return []
        most = max(self.options.readers)
        lines = [f"Memory beyond the frames' own (PSS), publisher, {count(most)} and daemon, every slot filled:", ""]
        lines += table(["contestant", "MB"], [[name, fixed(size / 1e6)] for name, size in self.checks.memory.items()])
        lines += [
            "",
            f"Counted per frame, 1 reader ({PACER} is the publisher's pace; the floor and FrameShare only):",
            "",
        ]
        rows = []
        for (name, state, role), calls in self.checks.calls.items():
            detail = ", ".join(f"{call} {fixed(n, 2)}" for call, n in sorted(calls.items())) or "none"
            allocations = self.checks.allocations.get((name, role)) if state == "asleep" else None
            rows.append([name, role, state, detail, "" if allocations is None else fixed(allocations, 2)])
        lines += table(["contestant", "side", "state", "system calls", "allocations"], rows, left=4)
        return lines + [f"not counted: {failure}" for failure in self.checks.failures]

    def absent(self):
        reasons = {}
        for (kind, name), reason in self.plan.left_out.items():
            reasons.setdefault((kind, reason), []).append(name)
        lines = [f"not measured ({kind}): {', '.join(each)}: {reason}" for (kind, reason), each in reasons.items()]
        failures = {}
        for result in self.results:
            if result.failure:
                failures.setdefault((result.cell, result.failure), []).append(str(result.round))
        for (cell, failure), rounds in failures.items():
            lines.append(
                f"failed: {cell.contestant}, {cell.kind}, {megabytes(cell.size)}, {count(cell.readers)},"
                f" round {', '.join(rounds)}: {failure}"
            )
        lines += [
            f"{self.wrong(result)} ({result.cell.kind}, {megabytes(result.cell.size)},"
            f" {count(result.cell.readers)}, round {result.round})"
            for result in self.results
            if result.wrong
        ]
        return lines

    def wrong(self, result):
        name = result.cell.contestant
        if name in contestants.overwriting:
            return f"overwritten: {name} read {result.wrong} frames while they were written anew, as nothing keeps it from that"
        return f"WRONG: {name} read {result.wrong} frames that were not those announced"

    def verdicts(self):
        rows = [
            [each.verdict, each.what, each.against, each.wanted, each.noise, each.measured] for each in self.targets.all
        ]
        return ["FrameShare's targets:", ""] + table(["", "what", "against", "target", "A/A", "measured"], rows, left=6)
