"""opencv_window.py [CHANNEL]: shows a channel in a window of OpenCV's, until a key is pressed or the channel ends.

The wheel opencv-python-headless has no windows: install opencv-python.
"""

import sys

import cv2

from frameshare import Subscriber

channel = sys.argv[1] if len(sys.argv) > 1 else "camera0"

with Subscriber(channel, policy="latest", name="window") as camera:
    for frame in camera:
        image = frame["main"]
        # OpenCV wants blue, green, red. The format RGB888 has that order in memory, and needs no copy.
        picture = image.array if image.channel_order == "BGR" else image.to_bgr()
        cv2.imshow(channel, picture)
        # OpenCV draws while it waits for a key.
        if cv2.waitKey(1) >= 0:
            break
cv2.destroyAllWindows()
