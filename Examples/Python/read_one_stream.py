"""read_one_stream.py [CHANNEL [FRAMES]]: reads the small image alone of a channel that has a large one, too."""

import sys

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 30

# The memory of the other streams is not even mapped here.
with Subscriber(channel, streams=["lores"]) as camera:
    for _ in range(frames):
        with camera.next(timeout=10) as frame:
            small = frame["lores"]
            print(f"frame {frame.number}: {small.width}x{small.height}, grey {small.array[0, 0]}", flush=True)
