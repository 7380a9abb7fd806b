"""read_every_frame.py [CHANNEL [FRAMES]]: takes every frame in order, as a recorder does, and counts the gaps."""

import sys

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 60

# Four slots of the pool are kept for this subscriber alone: three frames can wait while it works on one.
with Subscriber(channel, policy="every-frame", budget=4, reserve=True, name="recorder") as camera:
    count, missing, last = 0, 0, None
    for frame in camera:
        # The publisher numbers its frames. A frame that this subscriber did not get leaves a gap.
        if last is not None:
            missing += frame.number - last - 1
        last = frame.number
        count += 1
        if count == frames:
            break
print(f"{count} frames in order, {missing} missing")
