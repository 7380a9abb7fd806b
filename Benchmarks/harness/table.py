"""Columns of text."""

import math


def table(head, rows, left=1):
    """All but the first `left` columns are set flush right."""
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def fixed(value, decimals=1):
    return "-" if math.isnan(value) else f"{value:.{decimals}f}"


def micro(nanoseconds, decimals=1):
    return fixed(nanoseconds / 1000, decimals)


def times(ratio):
    return "-" if math.isnan(ratio) else f"{ratio:.2f}x" if ratio < 9.995 else f"{ratio:.1f}x"


def count(readers):
    return f"{readers} reader{'s' * (readers != 1)}"


def megabytes(size):
    return f"{size / 1e6:g} MB"
