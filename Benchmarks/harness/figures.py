"""Medians, percentiles, ratios within rounds."""

import math

import contestants

nan = math.nan


def quantile(values, part):
    """The value below which `part` of the values lie, between neighbours in proportion; NaN of nothing."""
    ordered = sorted(value for value in values if not math.isnan(value))
    if not ordered:
        return nan
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values):
    return quantile(values, 0.5)


class Figures:
    """What the results of all rounds come to."""

    def __init__(self, results):
        self.results = [result for result in results if not result.failure]
        self.cells = {}
        for result in self.results:
            cell = result.cell
            self.cells.setdefault((cell.kind, cell.contestant, cell.size, cell.readers), {}).setdefault(
                result.round, []
            ).append(result)

    def rounds(self, kind, contestant, size, readers):
        return self.cells.get((kind, contestant, size, readers), {})

    def all(self, *cell):
        return [result for results in self.rounds(*cell).values() for result in results]

    def value(self, measure, *cell):
        """The median over rounds."""
        return median(measure(result) for result in self.all(*cell))

    def ratio(self, measure, ours, theirs):
        """The median over rounds of the ratio within a round."""
        mine, other = self.rounds(*ours), self.rounds(*theirs)
        ratios = []
        for number in mine.keys() & other.keys():
            over = median(measure(result) for result in other[number])
            if over > 0:
                ratios.append(median(measure(result) for result in mine[number]) / over)
        return median(ratios)

    def pooled(self, part, *cell):
        """A percentile of all rounds' latencies together."""
        return quantile([value for result in self.all(*cell) for value in result.latencies], part)

    # MARK: measures of one result, in ns

    @staticmethod
    def latency(result):
        return quantile(result.latencies, 0.5)

    @staticmethod
    def call(result):
        return quantile(result.publishing, 0.5)

    @staticmethod
    def reader_cpu(result):
        return median(reader["cpu_ns_per_frame"] for reader in result.readers)

    @staticmethod
    def frame_rate(result):
        return result.publisher["frames"] * 1e9 / max(1, result.publisher["wall_ns"])

    def net_cpu(self, result):
        """The publisher's CPU for a frame, above what the pace alone took in that round, in the same language."""
        pacer = contestants.idle_python if result.cell.contestant in contestants.paced_by_python else contestants.idle
        idle = [
            other.publisher["cpu_ns_per_frame"]
            for other in self.results
            if other.cell.contestant == pacer and other.round == result.round
        ]
        return result.publisher["cpu_ns_per_frame"] - median(idle)
