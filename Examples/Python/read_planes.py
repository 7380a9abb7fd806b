"""read_planes.py [CHANNEL [FRAMES]]: reads the planes Y, U and V of a YUV420 image. See publish_two_streams.py."""

import sys

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 30

with Subscriber(channel, streams=["main"]) as camera:
    for _ in range(frames):
        with camera.next(timeout=10) as frame:
            # Arrays over the planes, without the padding at the ends of rows.
            means = [float(plane.mean()) for plane in frame["main"].planes]
            print(f"frame {frame.number}: means of Y, U, V {means}", flush=True)
