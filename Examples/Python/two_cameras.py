"""two_cameras.py LEFT RIGHT [PAIRS]: pairs the frames of two channels that were captured at about the same time."""

import sys

from frameshare import Subscriber

#: Half of the time between two frames of 30 a second.
TOLERANCE = 17_000_000

pairs = int(sys.argv[3]) if len(sys.argv) > 3 else 20

# Some frames may wait, so that one camera can be a little ahead of the other.
with Subscriber(sys.argv[1], policy="queue:4") as left, Subscriber(sys.argv[2], policy="queue:4") as right:
    a, b, count = left.next(), right.next(), 0
    while count < pairs and a is not None and b is not None:
        apart = a.timestamp - b.timestamp
        if abs(apart) <= TOLERANCE:
            count += 1
            print(f"frames {a.number} and {b.number} are {apart / 1e6:.1f} ms apart", flush=True)
            a.release()
            b.release()
            a, b = left.next(), right.next()
        elif apart < 0:
            # The left frame is older than any frame that may come from the right: pass over it.
            a.release()
            a = left.next()
        else:
            b.release()
            b = right.next()
print(f"{count} pairs")
