"""change_size.py [CHANNEL]: changes the size of its frames while a subscriber reads them."""

import sys

import numpy as np

from frameshare import Publisher, Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "example"

with Publisher(channel, {"main": (320, 240, "R8")}, slots=4) as publisher, Subscriber(channel) as camera:
    publisher.publish(np.zeros((240, 320), np.uint8))
    before = camera.next(timeout=10)
    # From now on the publisher has other buffers. Frames of the old ones stay valid until they are released.
    publisher.reconfigure({"main": (640, 480, "R8")}, slots=4)
    publisher.publish(np.zeros((480, 640), np.uint8))
    after = camera.next(timeout=10)
    for frame in (before, after):
        print(f"generation {frame.generation} has {frame['main'].width}x{frame['main'].height}")
        frame.release()
