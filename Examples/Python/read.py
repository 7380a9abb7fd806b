"""read.py [CHANNEL [FRAMES]]: reads a channel's newest frames, each as a numpy array over the camera's own memory."""

import sys

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 30

with Subscriber(channel) as camera:
    for frame in camera:
        picture = frame["main"].array
        print(f"frame {frame.number}: {picture.shape}, mean {picture.mean():.1f}, lost {frame.lost.total}", flush=True)
        frames -= 1
        if frames == 0:
            break
