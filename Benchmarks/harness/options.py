"""What is measured, from the command line."""

import argparse

KINDS = ["paced", "lossless", "ping-pong", "spin", "connect", "checks"]


def numbers(least, most, kind=float):
    def parse(text):
        values = [kind(word) for word in text.split(",")]
        if not values or not all(least <= value <= most for value in values):
            raise argparse.ArgumentTypeError(f"'{text}': give numbers from {least} to {most}, with commas")
        return values

    return parse


def number(least, most, kind=float):
    def parse(text):
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"'{text}': give {least} to {most}")
        return value

    return parse


def names(known):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"there is no '{word}'; there are {', '.join(known)}")
        return words

    return parse


def parse(contestants):
    parser = argparse.ArgumentParser(
        prog="compare",
        description="FrameShare beside what else moves frames between processes, interleaved in one run, as ratios.",
        epilog="What each row means: Benchmarks/README.md",
    )
    parser.add_argument("--rounds", type=number(1, 1000, int), default=6, help="interleaved rounds; take 6 or more (6)")
    parser.add_argument("--seconds", type=number(0.1, 600), default=0.5, help="how long a paced run lasts (0.5)")
    parser.add_argument("--rate", type=number(1, 10000, int), default=120, help="frames/s of a paced run (120)")
    parser.add_argument(
        "--sizes", type=numbers(0.1, 256), default=[0.9, 3.1, 12.4, 36], help="frame sizes in MB (0.9,3.1,12.4,36)"
    )
    parser.add_argument("--main-size", type=number(0.1, 256), default=3.1, help="MB, with several readers (3.1)")
    parser.add_argument("--readers", type=numbers(1, 64, int), default=[1, 8], help="reader processes (1,8)")
    parser.add_argument(
        "--only", type=names(contestants), default=[], help=f"contestants: {', '.join(contestants)} (all)"
    )
    parser.add_argument("--kinds", type=names(KINDS), default=KINDS, help=f"of runs: {', '.join(KINDS)} (all)")
    parser.add_argument("--quick", action="store_true", help="0.9 and 3.1 MB, short runs: to see that it works")
    parser.add_argument("--json", metavar="FILE", help="keeps every sample, and all that is printed, as JSON")
    parser.add_argument("--programs", required=True, metavar="FOLDER", help="where the contestants were built")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.seconds = [0.9, 3.1], 0.25
    # Rows of 1000 bytes: every contestant's frames are images of whole rows.
    options.sizes = [round(size * 1000) * 1000 for size in options.sizes]
    options.main_size = round(options.main_size * 1000) * 1000
    return options
