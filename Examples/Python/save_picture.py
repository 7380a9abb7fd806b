"""save_picture.py CHANNEL PICTURE.png: saves the next frame as a picture. The format's order of colours is minded."""

import sys

from frameshare import Subscriber

with Subscriber(sys.argv[1]) as camera, camera.next(timeout=30) as frame:
    frame["main"].save(sys.argv[2])
    print(f"frame {frame.number} is in {sys.argv[2]}")
