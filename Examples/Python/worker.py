"""worker.py CHANNEL [FRAMES]: an AI worker in twenty lines. A slow model never holds up the camera: it loses its own frames."""

import sys

import numpy as np

from frameshare import Subscriber


def detect(image: np.ndarray) -> float:
    """Put a model here. It sees the camera's own memory, and can't write to it."""
    return float(image.std())


channel, most = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
with Subscriber(channel, policy="latest", name="worker") as camera:
    for done, frame in enumerate(camera, start=1):
        print(f"frame {frame.number}: {detect(frame['main'].array):.2f} (passed over {frame.lost.policy})", flush=True)
        if done == most:
            break
