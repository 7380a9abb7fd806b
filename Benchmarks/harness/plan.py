"""Which runs make a round, and in what order."""

import random

import contestants
from run import Cell


class Plan:
    def __init__(self, options, everyone):
        self.options = options
        self.cells = []
        #: (kind, contestant): why it is not run.
        self.left_out = {}
        taking_part = [name for name in contestants.names if not options.only or name in options.only]
        self.present = [name for name in taking_part if not everyone[name].missing]
        for name in taking_part:
            if everyone[name].missing:
                self.left_out["all", name] = everyone[name].missing
        self.everyone = everyone
        few, main, small = min(options.readers), options.main_size, min(options.sizes)
        if "paced" in options.kinds:
            self.cells += 2 * [Cell("paced", contestants.idle, main, 0)]
            if any(name in contestants.paced_by_python for name in self.present):
                self.cells += 2 * [Cell("paced", contestants.idle_python, main, 0)]
            for size in options.sizes:
                self.add("paced", size, few)
            for readers in options.readers:
                if readers != few or main not in options.sizes:
                    self.add("paced", main, readers)
        for readers in options.readers:
            self.add("lossless", small, readers)
        self.add("ping-pong", small, few, [contestants.floor, contestants.again, "eventfd", contestants.ours])
        self.add("spin", small, 1)
        self.add("connect", main, 1)

    def add(self, kind, size, readers, only=None):
        if kind not in self.options.kinds:
            return
        for name in self.present:
            reason = self.everyone[name].without.get(kind)
            if reason is not None:
                if reason:
                    self.left_out[kind, name] = reason
            elif not only or name in only:
                self.cells.append(Cell(kind, name, size, readers))

    def round(self, number):
        """The runs of a round, each time in another order, so that no contestant always follows the same one."""
        order = list(self.cells)
        random.Random(number).shuffle(order)
        return order
