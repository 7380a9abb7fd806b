"""publish.py CHANNEL [FRAMES [RATE]]: publishes a moving square, drawn straight into shared memory."""

import sys
import time

from frameshare import Publisher

channel = sys.argv[1]
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 300
rate = float(sys.argv[3]) if len(sys.argv) > 3 else 30.0

with Publisher(channel, {"main": (320, 240, "BGR888")}, source_name="moving square") as publisher:
    for i in range(frames):
        with publisher.slot() as slot:
            picture = slot["main"].array
            picture[:] = 32
            x = i * 4 % 280
            picture[100:140, x : x + 40] = (255, 160, 0)
            slot.metadata["ExposureTime"] = 8000
        time.sleep(1 / rate)
