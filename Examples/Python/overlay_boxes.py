"""overlay_boxes.py CHANNEL [FRAMES]: shows each frame with what a worker says of it, as a channel of the same pixels.

Start worker.py CHANNEL beside it, and read CHANNEL-boxes.
"""

import sys

import numpy as np

from frameshare import Overlay, Publisher, Subscriber

channel, frames = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
right = 0
with Publisher(channel, {"main": (320, 240, "R8")}, slots=16) as publisher:
    # The overlay asks the group about each frame, and publishes the frame when its answer has come.
    with Overlay(publisher, f"{channel}-boxes", "detectors") as overlay, Subscriber(overlay.channel, policy="queue:4") as viewer:
        print("waiting for workers of the group 'detectors'", flush=True)
        for number in range(frames):
            publisher.wait_for_group("detectors")
            publisher.publish(np.full((240, 320), number % 256, np.uint8))
            frame = viewer.next(timeout=30)
            # The pixels are the publisher's own. The answer stands beside the frame's metadata.
            if frame is not None and frame.metadata["scores"][0] == frame["main"].array[0, 0]:
                right += 1
print(f"{right} of {frames} frames have the right answer")
