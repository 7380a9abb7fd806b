"""publish_two_streams.py CHANNEL [FRAMES]: two images in every frame, a large one in YUV420 and a small grey one."""

import sys
import time

from frameshare import Publisher

channel = sys.argv[1]
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 300

with Publisher(channel, {"main": (640, 480, "YUV420"), "lores": (160, 120, "R8")}, slots=6) as publisher:
    for number in range(frames):
        with publisher.slot() as slot:
            for plane, value in zip(slot["main"].planes, (number % 256, 110, 120)):
                plane[:] = value
            slot["lores"].array[:] = number % 256
        # One publication: both images have the same number, time and metadata.
        time.sleep(1 / 30)
