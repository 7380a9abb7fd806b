"""motion.py CHANNEL OUTPUT.npy [FRAMES]: motion detection with OpenCV beside a recorder, each at its own pace.

The detector looks at the newest frame alone; the recorder gets every frame that its budget has room for, in order. The
camera waits for neither, a file waits for the recorder for a while. Both read the same memory.
"""

import sys
import threading

import cv2
import numpy as np

from frameshare import Subscriber


def record(camera: Subscriber, path: str) -> None:
    """Keeps a thumbnail of every frame, until the channel ends."""
    thumbnails = [cv2.resize(frame["main"].array, (80, 60)) for frame in camera]
    np.save(path, np.array(thumbnails))
    print(f"recorded {len(thumbnails)} frames", flush=True)


channel, path = sys.argv[1], sys.argv[2]
recorder = Subscriber(channel, policy="every-frame", budget=4, name="recorder")
thread = threading.Thread(target=record, args=(recorder, path))
thread.start()

background = cv2.createBackgroundSubtractorMOG2(history=50, detectShadows=False)
moving = 0
with Subscriber(channel, policy="latest", name="motion") as camera:
    for frame in camera:
        mask = background.apply(frame["main"].array)
        share = cv2.countNonZero(mask) / mask.size
        if share > 0.001:
            moving += 1
            print(f"frame {frame.number}: {share:.1%} moves", flush=True)
thread.join()
print(f"motion in {moving} frames", flush=True)
