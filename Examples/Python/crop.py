"""crop.py [CHANNEL [FRAMES]]: reads a part of each image in place: 100 by 100 pixels at (50, 20)."""

import sys

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 30

with Subscriber(channel) as camera:
    for _ in range(frames):
        with camera.next(timeout=10) as frame:
            # A view: nothing is copied.
            part = frame["main"].array[20:120, 50:150]
            print(f"frame {frame.number}: mean {part.mean():.1f}", flush=True)
            # An array holds its frame as long as it lives.
            del part
