"""hold_frames.py [CHANNEL]: holds the last three frames, and says how much the picture has changed meanwhile."""

import sys
from collections import deque

import numpy as np

from frameshare import Frame, Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"

# Three frames are held, and one more waits.
with Subscriber(channel, policy="queue:1", budget=4) as camera:
    held: deque[Frame] = deque()
    for _ in range(30):
        # The oldest frame's lease ends here, before the next frame is taken.
        if len(held) == 3:
            held.popleft().release()
        held.append(camera.next(timeout=10))
    changed = np.count_nonzero(held[0]["main"].array != held[-1]["main"].array)
    print(f"frames {[frame.number for frame in held]}: {changed} bytes have changed")
    for frame in held:
        frame.release()
